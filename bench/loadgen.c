// loadgen: an HTTP/1.1 load generator for OpenAI-style endpoints.
//
// Linux, epoll, one thread, loopback only. It trusts the server: never point it at a stranger.
//
//   loadgen -p PORT -b BODYFILE [options]     prints one JSON line
//     -p PORT     server on 127.0.0.1             -u PATH    default /v1/chat/completions
//     -b FILE     request body, sent as it is     -c N       connections, default 1
//     -d SECONDS  measured time, default 5        -w SECONDS warm-up before it, default 0.5
//     -n N        stop after N requests, all of them counted: no warm-up
//     -H "k: v"   extra header, repeatable
//     -s          read answers as streams; the body itself must ask for one ("stream": true)
//     -R RATE     open loop: so many requests a second over the -c connections. Latency counts from
//                 the scheduled time, so queueing shows. Without it the loop is closed: a
//                 connection sends again when its answer is complete.
//     -k KEY      sent as "authorization: Bearer KEY", default sk-1234
// Each ######## in the body becomes a number, which counts up from one request to the next, and
//   begins with the time: no request is like one before it, of an earlier run neither.
// With `-w 0` every request is counted, which is what CPU per request needs.
//
// Output: ok, err (other statuses, broken answers), reconn (connections opened anew), incomplete
//   (streams without [DONE]), rps, MBps of bodies, el seconds; p50 p90 p99 max mean of a request in
//   microseconds. With -s also chunks, chunks_s; ttft50 ttft99: first byte of the body; cd50 cd90
//   cd99 cdmax: one-way delay of each piece that is tagged "@<CLOCK_MONOTONIC ns>" (as fake_openai
//   tags its tokens), all in microseconds. A run with err, incomplete or unexpected reconn is none.
// After -d it waits for answers under way, at most 15 s, with -s 60 s.
// Exit: 0; 1 wrong usage; 2 cannot connect; 3 too many connections opened anew.
#define _GNU_SOURCE
#include "loopback.h"

#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <string.h>
#include <strings.h>

enum {
  MAX_HEAD = 16384,
  MAX_EXTRA_HEADERS = 4096,
  MAX_CONNECTIONS = 20000,
  MAX_RECONNECTIONS = 200000,
  READ_SIZE = 262144,
  EVENTS_A_WAIT = 256,
  TICK_MS = 20,
  SEND_PATIENCE_MS = 5000,
  LAST_ANSWERS_S = 15,
  LAST_STREAMS_S = 60,
  // CLOCK_MONOTONIC in nanoseconds: longer than 10 digits ten seconds after a start, never over 20.
  TAG_DIGITS_MIN = 10,
  TAG_DIGITS_MAX = 20,
  NS_PER_UNIT = 100,
  UNITS_PER_US = 10,
  EXIT_RECONNECTIONS = 3,
  MAX_NUMBERS = 4,
};

static const char DONE_MARK[] = "[DONE]";
static const char NUMBER_MARK[] = "########";
static const char LETTERS[] = "p:u:b:c:d:n:sH:k:R:w:";

// ---- samples ----

// Durations in units of 0.1 microseconds: 32 bits hold seven minutes, finer than the noise.
typedef struct {
  uint32_t *units;
  size_t count, capacity;
} Samples;

static void add_sample(Samples *samples, uint64_t ns) {
  if (samples->count == samples->capacity) {
    samples->capacity = samples->capacity ? samples->capacity * 2 : 65536;
    samples->units = resized(samples->units, samples->capacity * sizeof *samples->units);
  }
  uint64_t units = ns / NS_PER_UNIT;
  samples->units[samples->count++] = units > UINT32_MAX ? UINT32_MAX : (uint32_t)units;
}

static int by_size(const void *left, const void *right) {
  uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
  return (a > b) - (a < b);
}

static void sort_samples(Samples *samples) {
  if (samples->count) qsort(samples->units, samples->count, sizeof *samples->units, by_size);
}

// The samples must be sorted; -1 without any.
static double quantile(const Samples *samples, double share) {
  if (!samples->count) return -1;
  return (double)samples->units[(size_t)(share * (double)(samples->count - 1))] / UNITS_PER_US;
}

static double mean(const Samples *samples) {
  if (!samples->count) return -1;
  double sum = 0;
  for (size_t i = 0; i < samples->count; i++) sum += samples->units[i];
  return sum / (double)samples->count / UNITS_PER_US;
}

// ---- state ----

typedef enum { HEAD, FIXED, UNTIL_CLOSE, SIZE_LINE, CHUNK, CHUNK_END, LAST_LINE } Reading;
typedef enum { MORE, COMPLETE, BROKEN } Verdict;

typedef struct {
  int fd;
  bool busy, close_after, seen_body, done;
  Reading reading;
  char head[MAX_HEAD];
  size_t head_length;
  int status;
  uint64_t left;       // of the body, or of the chunk
  uint64_t started;    // the scheduled time in an open loop
  char tag[TAG_DIGITS_MAX + 1];
  int tag_length;      // -1 outside a tag
  size_t mark_matched; // characters of [DONE]
} Connection;

static struct {
  int port, connections;
  const char *path, *body_file, *key;
  char headers[MAX_EXTRA_HEADERS];
  double seconds, warm_up, rate;
  long requests; // -1: no limit
  bool stream;
} options = {.path = "/v1/chat/completions",
             .key = "sk-1234",
             .connections = 1,
             .seconds = 5,
             .warm_up = 0.5,
             .requests = -1};

static struct {
  int epoll, busy;
  char *request;
  size_t request_length;
  char *numbers[MAX_NUMBERS]; // places in the request
  uint64_t first_number;
  uint64_t measured_from, measured_until, next_arrival;
  Connection **idle; // waiting for the schedule of an open loop
  int idle_count;
} load;

static struct {
  long started, ok, errors, reconnections, incomplete, chunks;
  uint64_t bytes;
  Samples latency, first_byte, delay;
} result;

// ---- connections ----

static void connect_to_server(Connection *connection) {
  struct sockaddr_in address = loopback(options.port);
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  if (fd < 0) fail("socket");
  send_at_once(fd);
  if (connect(fd, (struct sockaddr *)&address, sizeof address)) fail("connect");
  if (fcntl(fd, F_SETFL, O_NONBLOCK)) fail("fcntl");
  connection->fd = fd;
  watch(load.epoll, EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLRDHUP, connection);
}

static void reconnect(Connection *connection) {
  close(connection->fd);
  if (++result.reconnections > MAX_RECONNECTIONS) {
    fprintf(stderr, "more than %d connections opened anew\n", MAX_RECONNECTIONS);
    exit(EXIT_RECONNECTIONS);
  }
  connect_to_server(connection);
}

static bool send_request(Connection *connection) {
  for (size_t sent = 0; sent < load.request_length;) {
    ssize_t count = send(connection->fd, load.request + sent, load.request_length - sent,
                         MSG_NOSIGNAL);
    if (count < 0 && errno == EAGAIN) {
      struct pollfd room = {.fd = connection->fd, .events = POLLOUT};
      if (poll(&room, 1, SEND_PATIENCE_MS) <= 0) return false;
    } else if (count < 0 && errno != EINTR) {
      return false;
    } else if (count > 0) {
      sent += (size_t)count;
    }
  }
  return true;
}

static void number_request(void) {
  for (int i = 0; i < MAX_NUMBERS && load.numbers[i]; i++) {
    uint64_t rest = load.first_number + (uint64_t)result.started;
    for (int digit = (int)sizeof NUMBER_MARK - 2; digit >= 0; digit--, rest /= 10)
      load.numbers[i][digit] = (char)('0' + rest % 10);
  }
}

static void start_request(Connection *connection, uint64_t started) {
  connection->busy = true;
  connection->close_after = connection->seen_body = connection->done = false;
  connection->reading = HEAD;
  connection->head_length = connection->mark_matched = 0;
  connection->tag_length = -1;
  connection->started = started;
  load.busy++;
  number_request();
  result.started++;
  // A server may close a connection that it kept alive just as we send: try on a new one.
  while (!send_request(connection)) reconnect(connection);
}

static void end_request(Connection *connection) {
  connection->busy = false;
  load.busy--;
}

static void end_broken(Connection *connection, uint64_t now) {
  if (connection->busy) {
    if (now >= load.measured_from) result.errors++;
    end_request(connection);
  }
  reconnect(connection);
}

static void end_complete(Connection *connection, uint64_t now) {
  bool good = connection->status == 200;
  if (now >= load.measured_from && good) {
    result.ok++;
    add_sample(&result.latency, now - connection->started);
  } else if (now >= load.measured_from) {
    result.errors++;
  }
  if (options.stream && good && !connection->done) result.incomplete++;
  end_request(connection);
  if (connection->close_after) reconnect(connection);
}

// ---- reading an answer ----

static void end_tag(Connection *connection, uint64_t now) {
  if (connection->tag_length >= TAG_DIGITS_MIN && now >= load.measured_from) {
    connection->tag[connection->tag_length] = 0;
    uint64_t sent = strtoull(connection->tag, NULL, 10);
    if (now > sent) add_sample(&result.delay, now - sent);
    result.chunks++;
  }
  connection->tag_length = -1;
}

// Tags and [DONE] are found however the stream was cut into pieces.
static void scan(Connection *connection, const char *at, const char *end, uint64_t now) {
  for (; at < end; at++) {
    if (connection->tag_length >= 0) {
      if (*at >= '0' && *at <= '9' && connection->tag_length < TAG_DIGITS_MAX) {
        connection->tag[connection->tag_length++] = *at;
        continue;
      }
      end_tag(connection, now);
    }
    if (*at == '@') connection->tag_length = 0;
    // No character of the mark comes twice, so a mismatch can only begin the mark anew.
    if (*at != DONE_MARK[connection->mark_matched]) connection->mark_matched = 0;
    if (*at == DONE_MARK[connection->mark_matched]) connection->mark_matched++;
    if (connection->mark_matched == sizeof DONE_MARK - 1) {
      connection->done = true;
      connection->mark_matched = 0;
    }
  }
}

static void take_body(Connection *connection, const char *bytes, size_t length, uint64_t now) {
  result.bytes += length;
  if (!options.stream || !length) return;
  if (!connection->seen_body && now >= load.measured_from)
    add_sample(&result.first_byte, now - connection->started);
  connection->seen_body = true;
  scan(connection, bytes, bytes + length, now);
}

// `end` is the empty line behind the headers.
static void read_headers(Connection *connection, const char *end) {
  connection->status = atoi(connection->head + strcspn(connection->head, " "));
  connection->reading = UNTIL_CLOSE;
  for (const char *line = connection->head; line < end;) {
    if (!strncasecmp(line, "content-length:", 15)) {
      connection->left = strtoull(line + 15, NULL, 10);
      connection->reading = FIXED;
    } else if (!strncasecmp(line, "transfer-encoding:", 18)) {
      connection->left = 0;
      connection->reading = SIZE_LINE;
    } else if (!strncasecmp(line, "connection: close", 17)) {
      connection->close_after = true;
    }
    const char *next = strstr(line, "\r\n");
    if (!next) break;
    line = next + 2;
  }
  if (connection->status == 100) {
    connection->reading = HEAD;
    connection->head_length = 0;
  } else if (connection->reading == UNTIL_CLOSE) {
    connection->close_after = true;
  }
}

// Returns how many bytes belong to the head; -1 where it is larger than any server's of ours.
static ssize_t take_head(Connection *connection, const char *bytes, size_t length) {
  size_t before = connection->head_length, room = MAX_HEAD - 1 - before;
  size_t taken = length < room ? length : room;
  if (!taken) return -1;
  memcpy(connection->head + before, bytes, taken);
  connection->head_length += taken;
  connection->head[connection->head_length] = 0;
  // The empty line may have begun in the last piece.
  const char *end = strstr(connection->head + (before > 3 ? before - 3 : 0), "\r\n\r\n");
  if (!end) return (ssize_t)taken;
  taken = (size_t)(end + 4 - connection->head) - before;
  read_headers(connection, end);
  return (ssize_t)taken;
}

static int hex_digit(char character) {
  if (character >= '0' && character <= '9') return character - '0';
  character |= 0x20;
  return character >= 'a' && character <= 'f' ? character - 'a' + 10 : -1;
}

// Takes one character of the framing between chunks.
static Verdict take_framing(Connection *connection, char character) {
  bool newline = character == '\n';
  if (connection->reading == LAST_LINE) return newline ? COMPLETE : MORE;
  if (connection->reading == CHUNK_END) {
    if (newline) connection->reading = SIZE_LINE;
  } else if (newline) {
    connection->reading = connection->left ? CHUNK : LAST_LINE;
  } else if (character != '\r') {
    int digit = hex_digit(character);
    if (digit < 0) return BROKEN;
    connection->left = connection->left * 16 + (uint64_t)digit;
  }
  return MORE;
}

static size_t take_piece(Connection *connection, const char *bytes, size_t length, uint64_t now) {
  size_t taken = length;
  if (connection->reading != UNTIL_CLOSE) {
    if (connection->left < taken) taken = (size_t)connection->left;
    connection->left -= taken;
  }
  take_body(connection, bytes, taken, now);
  return taken;
}

static Verdict take(Connection *connection, const char *bytes, size_t length, uint64_t now) {
  const char *end = bytes + length;
  while (bytes < end) {
    switch (connection->reading) {
    case HEAD: {
      ssize_t taken = take_head(connection, bytes, (size_t)(end - bytes));
      if (taken < 0) return BROKEN;
      bytes += taken;
      break;
    }
    case FIXED:
    case UNTIL_CLOSE:
      bytes += take_piece(connection, bytes, (size_t)(end - bytes), now);
      break;
    case CHUNK:
      bytes += take_piece(connection, bytes, (size_t)(end - bytes), now);
      if (!connection->left) connection->reading = CHUNK_END;
      break;
    case SIZE_LINE:
    case CHUNK_END:
    case LAST_LINE: {
      Verdict verdict = take_framing(connection, *bytes++);
      if (verdict != MORE) return verdict;
      break;
    }
    }
    if (connection->reading == FIXED && !connection->left) return COMPLETE;
  }
  return MORE;
}

// ---- the load ----

static bool may_start(uint64_t now) {
  return now < load.measured_until &&
         (options.requests < 0 || result.started < options.requests);
}

static void next_request(Connection *connection, uint64_t now) {
  if (options.rate > 0)
    load.idle[load.idle_count++] = connection;
  else if (may_start(now))
    start_request(connection, now_ns());
}

static void start_scheduled(uint64_t now) {
  while (load.idle_count && load.next_arrival <= now && may_start(now)) {
    start_request(load.idle[--load.idle_count], load.next_arrival);
    load.next_arrival += (uint64_t)((double)NS_PER_SECOND / options.rate);
  }
}

static uint64_t wait_time(uint64_t now) {
  uint64_t tick = TICK_MS * NS_PER_MS;
  if (options.rate <= 0 || !load.idle_count || !may_start(now)) return tick;
  uint64_t until = load.next_arrival > now ? load.next_arrival - now : 0;
  return until < tick ? until : tick;
}

static void serve_socket(Connection *connection) {
  static char buffer[READ_SIZE];
  ssize_t count = recv(connection->fd, buffer, sizeof buffer, 0);
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
  uint64_t now = now_ns();
  bool was_busy = connection->busy;
  Verdict verdict = MORE;
  if (count > 0 && was_busy)
    verdict = take(connection, buffer, (size_t)count, now);
  else if (count <= 0)
    verdict = !count && was_busy && connection->reading == UNTIL_CLOSE ? COMPLETE : BROKEN;
  if (verdict == COMPLETE) end_complete(connection, now);
  if (verdict == BROKEN) end_broken(connection, now);
  if (was_busy && !connection->busy) next_request(connection, now);
}

static void run(Connection *connections) {
  struct epoll_event events[EVENTS_A_WAIT];
  uint64_t last = load.measured_until +
                  (options.stream ? LAST_STREAMS_S : LAST_ANSWERS_S) * NS_PER_SECOND;
  for (int i = 0; i < options.connections; i++) next_request(&connections[i], now_ns());
  for (uint64_t now; (now = now_ns()) < last && (load.busy || may_start(now));) {
    start_scheduled(now);
    struct timespec limit = as_timespec(wait_time(now));
    int count = epoll_pwait2(load.epoll, events, EVENTS_A_WAIT, &limit, NULL);
    if (count < 0 && errno != EINTR) fail("epoll_pwait2");
    for (int i = 0; i < count; i++) serve_socket(events[i].data.ptr);
  }
}

// ---- start and report ----

static void usage(void) {
  fprintf(stderr, "usage: loadgen -p PORT -b BODYFILE [-u PATH] [-c N] [-d SECONDS] [-w SECONDS]\n"
                  "               [-n N] [-s] [-R RATE] [-k KEY] [-H \"name: value\"]...\n");
  exit(EXIT_USAGE);
}

static void add_header(const char *header) {
  size_t length = strlen(options.headers), room = sizeof options.headers - length;
  if ((size_t)snprintf(options.headers + length, room, "%s\r\n", header) >= room) usage();
}

static void parse_options(int count, char **arguments) {
  for (int letter; (letter = getopt(count, arguments, LETTERS)) > 0;) switch (letter) {
    case 'p': options.port = parse_port(optarg); break;
    case 'u': options.path = optarg; break;
    case 'b': options.body_file = optarg; break;
    case 'c': options.connections = atoi(optarg); break;
    case 'd': options.seconds = atof(optarg); break;
    case 'n': options.requests = atol(optarg); break;
    case 's': options.stream = true; break;
    case 'H': add_header(optarg); break;
    case 'k': options.key = optarg; break;
    case 'R': options.rate = atof(optarg); break;
    case 'w': options.warm_up = atof(optarg); break;
    default: usage();
    }
  bool sound = options.port > 0 && options.body_file && optind == count &&
               options.connections > 0 && options.connections <= MAX_CONNECTIONS &&
               options.seconds > 0 && options.warm_up >= 0 && options.rate >= 0;
  if (!sound) usage();
  // So many requests may be over before the warm-up is, and then none would be counted.
  if (options.requests >= 0) options.warm_up = 0;
}

static char *read_file(const char *path, size_t *length) {
  FILE *file = fopen(path, "rb");
  if (!file || fseek(file, 0, SEEK_END)) fail(path);
  long size = ftell(file);
  if (size < 0 || fseek(file, 0, SEEK_SET)) fail(path);
  char *bytes = zeroed(1, (size_t)size + 1);
  if (fread(bytes, 1, (size_t)size, file) != (size_t)size) fail(path);
  fclose(file);
  *length = (size_t)size;
  return bytes;
}

static void build_request(void) {
  size_t body_length;
  char *body = read_file(options.body_file, &body_length), *head;
  int head_length = asprintf(&head,
                             "POST %s HTTP/1.1\r\nhost: 127.0.0.1:%d\r\nuser-agent: loadgen\r\n"
                             "accept: */*\r\nauthorization: Bearer %s\r\n"
                             "content-type: application/json\r\n%scontent-length: %zu\r\n\r\n",
                             options.path, options.port, options.key, options.headers, body_length);
  if (head_length < 0) fail("asprintf");
  load.request_length = (size_t)head_length + body_length;
  load.request = resized(head, load.request_length + 1);
  // With the zero byte behind the body.
  memcpy(load.request + head_length, body, body_length + 1);
  free(body);
  char *at = load.request + head_length;
  load.first_number = now_ns() / NS_PER_US;
  for (int i = 0; i < MAX_NUMBERS && (at = strstr(at, NUMBER_MARK)); at += sizeof NUMBER_MARK - 1)
    load.numbers[i++] = at;
}

static void report(uint64_t now) {
  double elapsed = (double)(now - load.measured_from) / (double)NS_PER_SECOND;
  // Non-stream answers that came after the measured time are few; the time waited for them is not.
  double counted = options.stream || elapsed < options.seconds ? elapsed : options.seconds;
  sort_samples(&result.latency);
  sort_samples(&result.first_byte);
  sort_samples(&result.delay);
  const Samples *latency = &result.latency, *first = &result.first_byte, *delay = &result.delay;
  printf("{\"c\":%d,\"ok\":%ld,\"err\":%ld,\"reconn\":%ld,\"incomplete\":%ld,\"rps\":%.1f,"
         "\"p50\":%.1f,\"p90\":%.1f,\"p99\":%.1f,\"max\":%.1f,\"mean\":%.1f,\"MBps\":%.2f",
         options.connections, result.ok, result.errors, result.reconnections, result.incomplete,
         (double)result.ok / counted, quantile(latency, 0.5), quantile(latency, 0.9),
         quantile(latency, 0.99), quantile(latency, 1), mean(latency),
         (double)result.bytes / 1e6 / elapsed);
  if (options.stream)
    printf(",\"chunks\":%ld,\"chunks_s\":%.0f,\"ttft50\":%.1f,\"ttft99\":%.1f,\"cd50\":%.1f,"
           "\"cd90\":%.1f,\"cd99\":%.1f,\"cdmax\":%.1f",
           result.chunks, (double)result.chunks / elapsed, quantile(first, 0.5),
           quantile(first, 0.99), quantile(delay, 0.5), quantile(delay, 0.9),
           quantile(delay, 0.99), quantile(delay, 1));
  printf(",\"el\":%.2f}\n", elapsed);
}

int main(int count, char **arguments) {
  parse_options(count, arguments);
  build_request();
  load.epoll = epoll_create1(0);
  if (load.epoll < 0) fail("epoll_create1");
  load.idle = zeroed((size_t)options.connections, sizeof *load.idle);
  Connection *connections = zeroed((size_t)options.connections, sizeof *connections);
  for (int i = 0; i < options.connections; i++) connect_to_server(&connections[i]);

  uint64_t start = now_ns();
  load.measured_from = start + (uint64_t)(options.warm_up * (double)NS_PER_SECOND);
  load.measured_until = load.measured_from + (uint64_t)(options.seconds * (double)NS_PER_SECOND);
  load.next_arrival = start;
  run(connections);
  report(now_ns());
}
