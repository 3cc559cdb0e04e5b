// fake_openai: a fast fake of an OpenAI-compatible upstream for measuring a gateway.
//
// Linux, epoll, one thread, keep-alive HTTP/1.1, loopback only. It trusts its input: never expose
// it.
//
//   fake_openai [PORT]      default 9100 on 127.0.0.1, 0 for any free one; prints
//                           "listening on PORT" when it is ready, and ends by a signal
//
// POST to any path answers as a chat where the path contains "chat", else as a text completion.
//   "stream": true asks for SSE, "include_usage": true for a last usage event. Fields are found by
//   text search; nothing is validated, no key is checked.
// GET /stats tells {"requests","streams","active","aborted","chunks"}. `active` are the streams and
//   delayed answers under way; `aborted` counts those whose connection the client closed: the measure
//   of cancellation.
// GET of a path with "models" lists one model; any other GET says {"status":"ok"}.
//
// The model's name steers the answer by knobs, "-" + letter + number, the first of a letter wins:
//   -tN  tokens, at least 1 (default 64)      -fN  ms before the first token of a stream (0)
//   -dN  ms between tokens (0: a burst)       -uN  microseconds added to that gap (0)
//   -rN  ms before a non-stream answer (0)    -j1  one random wait of up to a gap after the first
//                                                  token, to spread streams that start together
// Each streamed token is "@<CLOCK_MONOTONIC ns> tok" in a TCP write of its own, so that a load
// generator on this machine sees how long it took on its way. A non-stream answer repeats a line.
#define _GNU_SOURCE
#include "loopback.h"

#include <string.h>
#include <strings.h>

enum {
  DEFAULT_PORT = 9100,
  MAX_CONNECTIONS = 20000,
  ACCEPT_BACKLOG = 4096,
  EVENTS_A_WAIT = 256,
  // Timers served between two looks at the sockets, so that neither starves the other.
  TIMERS_A_ROUND = 2048,
  READ_SPACE = 8192,
  MAX_REQUEST = 64 << 20,
  // A reader that is this far behind gets no new tokens until it has caught up.
  MAX_UNSENT = 1 << 20,
  MODEL_SIZE = 91,
  EVENT_SIZE = 1024,
  HEAD_SIZE = 256,
  DEFAULT_TOKENS = 64,
  MAX_WHOLE_TOKENS = 2000,
  PROMPT_TOKENS = 700,
};

static const char WHOLE_TOKEN[] = "    return x;\\n";
static const char DONE[] = "data: [DONE]\n\n";
static const char LAST_CHUNK[] = "0\r\n\r\n";
static const char STREAM_HEAD[] =
    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n"
    "cache-control: no-cache\r\ntransfer-encoding: chunked\r\nx-request-id: fake\r\n\r\n";
static const char MODELS[] =
    "{\"object\":\"list\",\"data\":[{\"id\":\"fake-t64-d0\",\"object\":\"model\",\"created\":1,"
    "\"owned_by\":\"fake\"}]}";

typedef struct {
  char *bytes;
  size_t length, capacity;
} Buffer;

// What a connection waits for: a request, the end of a delay, or its next token's turn.
typedef enum { READY, DELAYED, STREAMING } Phase;

typedef struct {
  int fd;
  Phase phase;
  Buffer in, out;
  size_t sent;          // of `out`
  int timer;            // index in the heap, -1 without one
  uint64_t due;         // when the timer is up
  uint64_t gap;         // between tokens, in nanoseconds
  int tokens, emitted;
  bool chat, wants_usage;
  char model[MODEL_SIZE];
} Connection;

static struct {
  int epoll, listener, connections;
  Connection *heap[MAX_CONNECTIONS];
  int timers;
  unsigned long long requests, streams, aborted, chunks;
  int active;
} server;

// ---- timers: a binary heap, the earliest first ----

static void place(Connection *connection, int at) {
  server.heap[at] = connection;
  connection->timer = at;
}

static void swap(int one, int other) {
  Connection *moved = server.heap[one];
  place(server.heap[other], one);
  place(moved, other);
}

static void sift_up(int at) {
  for (int parent; at > 0; at = parent) {
    parent = (at - 1) / 2;
    if (server.heap[parent]->due <= server.heap[at]->due) return;
    swap(at, parent);
  }
}

static void sift_down(int at) {
  for (;;) {
    int earliest = at;
    for (int child = 2 * at + 1; child <= 2 * at + 2 && child < server.timers; child++)
      if (server.heap[child]->due < server.heap[earliest]->due) earliest = child;
    if (earliest == at) return;
    swap(at, earliest);
    at = earliest;
  }
}

static void start_timer(Connection *connection, uint64_t due) {
  connection->due = due;
  place(connection, server.timers++);
  sift_up(connection->timer);
}

static void stop_timer(Connection *connection) {
  int at = connection->timer;
  if (at < 0) return;
  connection->timer = -1;
  if (at == --server.timers) return;
  place(server.heap[server.timers], at);
  sift_down(at);
  sift_up(at);
}

// ---- output ----

static void append(Buffer *buffer, const char *bytes, size_t length) {
  if (buffer->length + length > buffer->capacity) {
    buffer->capacity = (buffer->length + length) * 2;
    buffer->bytes = resized(buffer->bytes, buffer->capacity);
  }
  memcpy(buffer->bytes + buffer->length, bytes, length);
  buffer->length += length;
}

static void append_text(Buffer *buffer, const char *text) { append(buffer, text, strlen(text)); }

static void append_chunk(Buffer *buffer, const char *bytes, size_t length) {
  char size[16];
  append(buffer, size, (size_t)snprintf(size, sizeof size, "%zx\r\n", length));
  append(buffer, bytes, length);
  append_text(buffer, "\r\n");
}

// Sends what can be sent now; the rest follows when the socket has room. False: the client is gone.
static bool flush(Connection *connection) {
  Buffer *out = &connection->out;
  while (connection->sent < out->length) {
    ssize_t count = send(connection->fd, out->bytes + connection->sent,
                         out->length - connection->sent, MSG_NOSIGNAL);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EAGAIN) {
      watch(server.epoll, EPOLL_CTL_MOD, connection->fd, EPOLLIN | EPOLLRDHUP | EPOLLOUT,
            connection);
      return true;
    }
    if (count < 0) return false;
    connection->sent += (size_t)count;
  }
  out->length = connection->sent = 0;
  return true;
}

static void append_json_answer(Buffer *out, const char *body, size_t length) {
  char head[HEAD_SIZE];
  int size = snprintf(head, sizeof head,
                      "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
                      "content-length: %zu\r\nx-request-id: fake\r\n\r\n",
                      length);
  append(out, head, (size_t)size);
  append(out, body, length);
}

// ---- what the upstream says ----

static void append_event(Connection *connection, const char *choices) {
  char event[EVENT_SIZE];
  int size = snprintf(
      event, sizeof event,
      "data: {\"id\":\"%s-fake0123456789\",\"object\":\"%s\",\"created\":1763700000,"
      "\"model\":\"%s\",%s\"choices\":%s}\n\n",
      connection->chat ? "chatcmpl" : "cmpl",
      connection->chat ? "chat.completion.chunk" : "text_completion", connection->model,
      connection->chat ? "\"system_fingerprint\":\"fp_fake\"," : "", choices);
  append_chunk(&connection->out, event, (size_t)size);
}

static void append_token(Connection *connection) {
  char choices[EVENT_SIZE / 2];
  unsigned long long tag = now_ns();
  if (connection->chat)
    snprintf(choices, sizeof choices,
             "[{\"index\":0,\"delta\":{%s\"content\":\"@%llu tok\"},\"logprobs\":null,"
             "\"finish_reason\":null}]",
             connection->emitted ? "" : "\"role\":\"assistant\",", tag);
  else
    snprintf(choices, sizeof choices,
             "[{\"index\":0,\"text\":\"@%llu tok\",\"logprobs\":null,\"finish_reason\":null}]",
             tag);
  append_event(connection, choices);
  connection->emitted++;
  server.chunks++;
}

static void append_stream_end(Connection *connection) {
  append_event(connection,
               connection->chat
                   ? "[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]"
                   : "[{\"index\":0,\"text\":\"\",\"logprobs\":null,\"finish_reason\":\"stop\"}]");
  if (connection->wants_usage) {
    char usage[EVENT_SIZE / 2];
    snprintf(usage, sizeof usage,
             "[],\"usage\":{\"prompt_tokens\":%d,\"completion_tokens\":%d,\"total_tokens\":%d}",
             PROMPT_TOKENS, connection->tokens, PROMPT_TOKENS + connection->tokens);
    append_event(connection, usage);
  }
  append_chunk(&connection->out, DONE, sizeof DONE - 1);
  append_text(&connection->out, LAST_CHUNK);
  connection->phase = READY;
  server.active--;
}

static void append_whole_answer(Connection *connection) {
  static Buffer body;
  char part[EVENT_SIZE];
  int tokens = connection->tokens < MAX_WHOLE_TOKENS ? connection->tokens : MAX_WHOLE_TOKENS;
  body.length = 0;
  snprintf(part, sizeof part,
           "{\"id\":\"%s-fake0123456789\",\"object\":\"%s\",\"created\":1763700000,"
           "\"model\":\"%s\",\"choices\":[{\"index\":0,%s",
           connection->chat ? "chatcmpl" : "cmpl",
           connection->chat ? "chat.completion" : "text_completion", connection->model,
           connection->chat ? "\"message\":{\"role\":\"assistant\",\"content\":\"" : "\"text\":\"");
  append_text(&body, part);
  for (int i = 0; i < tokens; i++) append(&body, WHOLE_TOKEN, sizeof WHOLE_TOKEN - 1);
  snprintf(part, sizeof part,
           "\"%s,\"logprobs\":null,\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":%d,"
           "\"completion_tokens\":%d,\"total_tokens\":%d}}",
           connection->chat ? "}" : "", PROMPT_TOKENS, tokens, PROMPT_TOKENS + tokens);
  append_text(&body, part);
  append_json_answer(&connection->out, body.bytes, body.length);
}

static void append_stats(Buffer *out) {
  char body[HEAD_SIZE];
  int size = snprintf(body, sizeof body,
                      "{\"requests\":%llu,\"streams\":%llu,\"active\":%d,\"aborted\":%llu,"
                      "\"chunks\":%llu}",
                      server.requests, server.streams, server.active, server.aborted,
                      server.chunks);
  append_json_answer(out, body, (size_t)size);
}

// ---- requests ----

typedef struct {
  char *path;
  size_t path_length;
  char *body; // ends with a zero byte
  bool get;
} Request;

// Finds a field's value by text; a quote inside a JSON string is escaped, so none is found there.
static const char *field(const char *body, const char *quoted_name) {
  const char *found = strstr(body, quoted_name);
  if (!found) return "";
  found += strlen(quoted_name);
  return found + strspn(found, " :");
}

static bool is_true(const char *body, const char *quoted_name) {
  return !strncmp(field(body, quoted_name), "true", 4);
}

static int knob(const char *model, char letter, int otherwise) {
  for (const char *dash = strchr(model, '-'); dash; dash = strchr(dash + 1, '-'))
    if (dash[1] == letter && dash[2] >= '0' && dash[2] <= '9') return atoi(dash + 2);
  return otherwise;
}

static void read_model(Connection *connection, const char *body) {
  const char *value = field(body, "\"model\"");
  size_t length = *value == '"' ? strcspn(++value, "\"") : 0;
  if (length >= MODEL_SIZE) length = MODEL_SIZE - 1;
  memcpy(connection->model, value, length);
  connection->model[length] = 0;
}

static void answer_get(Connection *connection, const Request *request) {
  Buffer *out = &connection->out;
  if (!strncmp(request->path, "/stats", 6))
    append_stats(out);
  else if (memmem(request->path, request->path_length, "models", 6))
    append_json_answer(out, MODELS, sizeof MODELS - 1);
  else
    append_json_answer(out, "{\"status\":\"ok\"}", 15);
}

static void answer_post(Connection *connection, const Request *request) {
  const char *model = connection->model;
  read_model(connection, request->body);
  connection->chat = memmem(request->path, request->path_length, "chat", 4) != NULL;
  connection->wants_usage = is_true(request->body, "\"include_usage\"");
  connection->tokens = knob(model, 't', DEFAULT_TOKENS);
  if (connection->tokens < 1) connection->tokens = 1;
  connection->emitted = 0;
  connection->gap = (uint64_t)knob(model, 'd', 0) * NS_PER_MS +
                    (uint64_t)knob(model, 'u', 0) * NS_PER_US;
  if (is_true(request->body, "\"stream\"")) {
    server.streams++;
    server.active++;
    connection->phase = STREAMING;
    append_text(&connection->out, STREAM_HEAD);
    start_timer(connection, now_ns() + (uint64_t)knob(model, 'f', 0) * NS_PER_MS);
  } else if (knob(model, 'r', 0)) {
    server.active++;
    connection->phase = DELAYED;
    start_timer(connection, now_ns() + (uint64_t)knob(model, 'r', 0) * NS_PER_MS);
  } else {
    append_whole_answer(connection);
  }
}

// Returns the length of a chunked body with its framing, 0 while it is not all there.
static size_t chunked_length(const char *body, const char *end) {
  const char *at = body;
  for (;;) {
    const char *line = memmem(at, (size_t)(end - at), "\r\n", 2);
    if (!line) return 0;
    size_t size = strtoul(at, NULL, 16);
    if (size > MAX_REQUEST || (size_t)(end - line) < size + 4) return 0;
    at = line + size + 4;
    if (!size) return (size_t)(at - body);
  }
}

// Moves the chunks together in place; the framing is known to be whole. Returns the body's length.
static size_t join_chunks(char *body) {
  char *from = body, *to = body;
  for (size_t size; (size = strtoul(from, NULL, 16)); from += size + 2) {
    from = strstr(from, "\r\n") + 2;
    memmove(to, from, size);
    to += size;
  }
  return (size_t)(to - body);
}

typedef struct {
  size_t content_length;
  bool chunked;
} Framing;

static Framing read_framing(const char *head, const char *end) {
  Framing framing = {0};
  for (const char *line = head; line < end;) {
    const char *newline = memchr(line, '\n', (size_t)(end - line) + 2);
    if (!newline) break;
    if (!strncasecmp(line, "content-length:", 15))
      framing.content_length = strtoul(line + 15, NULL, 10);
    else if (!strncasecmp(line, "transfer-encoding: chunked", 26))
      framing.chunked = true;
    line = newline + 1;
  }
  return framing;
}

// Takes one whole request from the input, if there is one and nothing else is being answered.
// False: the client is gone.
static bool take_request(Connection *connection, bool *taken) {
  Buffer *in = &connection->in;
  *taken = false;
  if (connection->phase != READY || !in->length) return true;
  char *end = memmem(in->bytes, in->length, "\r\n\r\n", 4);
  if (!end) return true;
  char *body = end + 4;
  size_t head_length = (size_t)(body - in->bytes);
  Framing framing = read_framing(in->bytes, end);
  size_t framed = framing.chunked ? chunked_length(body, in->bytes + in->length)
                                  : framing.content_length;
  if ((framing.chunked && !framed) || in->length - head_length < framed) return true;

  size_t length = framing.chunked ? join_chunks(body) : framed;
  // Text search needs an end; the byte there may begin the next request, or be the spare one.
  char behind = body[length];
  body[length] = 0;
  char *path = memchr(in->bytes, ' ', head_length);
  Request request = {.body = body, .get = !strncmp(in->bytes, "GET ", 4)};
  request.path = path ? path + 1 : in->bytes;
  request.path_length = strcspn(request.path, " \r");
  server.requests++;
  if (request.get)
    answer_get(connection, &request);
  else
    answer_post(connection, &request);
  body[length] = behind;

  in->length -= head_length + framed;
  memmove(in->bytes, body + framed, in->length);
  *taken = true;
  return flush(connection);
}

static bool take_requests(Connection *connection) {
  bool taken = true;
  while (taken)
    if (!take_request(connection, &taken)) return false;
  return true;
}

// ---- connections ----

static void close_connection(Connection *connection) {
  if (connection->phase != READY) {
    server.aborted++;
    server.active--;
  }
  stop_timer(connection);
  close(connection->fd);
  server.connections--;
  free(connection->in.bytes);
  free(connection->out.bytes);
  free(connection);
}

static void accept_all(void) {
  int fd;
  while ((fd = accept4(server.listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
    if (server.connections >= MAX_CONNECTIONS) {
      close(fd);
      continue;
    }
    send_at_once(fd);
    Connection *connection = zeroed(1, sizeof *connection);
    connection->fd = fd;
    connection->timer = -1;
    server.connections++;
    watch(server.epoll, EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLRDHUP, connection);
  }
}

// Reads all there is. False: the client is gone, or its request is larger than any of ours.
static bool read_all(Connection *connection) {
  Buffer *in = &connection->in;
  for (;;) {
    if (in->length > MAX_REQUEST) return false;
    if (in->capacity - in->length < READ_SPACE) {
      in->capacity = in->capacity ? in->capacity * 2 : 2 * READ_SPACE;
      in->bytes = resized(in->bytes, in->capacity + 1); // one spare byte for the end of the text
    }
    size_t space = in->capacity - in->length;
    ssize_t count = recv(connection->fd, in->bytes + in->length, space, 0);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return errno == EAGAIN;
    if (!count) return false;
    in->length += (size_t)count;
    if ((size_t)count < space) return true;
  }
}

static bool serve_socket(Connection *connection, uint32_t events) {
  if (events & EPOLLOUT) {
    if (!flush(connection)) return false;
    if (!connection->out.length)
      watch(server.epoll, EPOLL_CTL_MOD, connection->fd, EPOLLIN | EPOLLRDHUP, connection);
  }
  if (!read_all(connection) || events & (EPOLLHUP | EPOLLERR | EPOLLRDHUP)) return false;
  return take_requests(connection);
}

static bool serve_delay(Connection *connection) {
  stop_timer(connection);
  server.active--;
  connection->phase = READY;
  append_whole_answer(connection);
  return flush(connection) && take_requests(connection);
}

static bool serve_token(Connection *connection, uint64_t now) {
  bool room = connection->out.length - connection->sent <= MAX_UNSENT;
  if (room) append_token(connection);
  if (connection->emitted == connection->tokens) {
    append_stream_end(connection);
    stop_timer(connection);
    return flush(connection) && take_requests(connection);
  }
  if (!connection->gap)
    connection->due = now + 1;
  else if (connection->emitted == 1 && knob(connection->model, 'j', 0))
    connection->due += (uint64_t)rand() % connection->gap;
  else
    connection->due += connection->gap;
  sift_down(connection->timer);
  return !room || flush(connection);
}

static void serve_timers(void) {
  uint64_t now = now_ns();
  for (int i = 0; i < TIMERS_A_ROUND && server.timers && server.heap[0]->due <= now; i++) {
    Connection *connection = server.heap[0];
    bool there =
        connection->phase == DELAYED ? serve_delay(connection) : serve_token(connection, now);
    if (!there) close_connection(connection);
  }
}

// ---- start ----

static void listen_on(int port) {
  struct sockaddr_in address = loopback(port);
  socklen_t size = sizeof address;
  int on = 1;
  server.listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  if (server.listener < 0) fail("socket");
  if (setsockopt(server.listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on)) fail("SO_REUSEADDR");
  if (bind(server.listener, (struct sockaddr *)&address, sizeof address)) fail("bind");
  if (listen(server.listener, ACCEPT_BACKLOG)) fail("listen");
  if (getsockname(server.listener, (struct sockaddr *)&address, &size)) fail("getsockname");
  server.epoll = epoll_create1(0);
  if (server.epoll < 0) fail("epoll_create1");
  watch(server.epoll, EPOLL_CTL_ADD, server.listener, EPOLLIN, NULL);
  printf("listening on %d\n", ntohs(address.sin_port));
  fflush(stdout);
}

static void serve(void) {
  struct epoll_event events[EVENTS_A_WAIT];
  for (;;) {
    struct timespec wait, *limit = NULL;
    if (server.timers) {
      uint64_t now = now_ns(), due = server.heap[0]->due;
      wait = as_timespec(due > now ? due - now : 0);
      limit = &wait;
    }
    int count = epoll_pwait2(server.epoll, events, EVENTS_A_WAIT, limit, NULL);
    if (count < 0 && errno != EINTR) fail("epoll_pwait2");
    for (int i = 0; i < count; i++) {
      Connection *connection = events[i].data.ptr;
      if (!connection)
        accept_all();
      else if (!serve_socket(connection, events[i].events))
        close_connection(connection);
    }
    serve_timers();
  }
}

int main(int count, char **arguments) {
  int port = count > 1 ? parse_port(arguments[1]) : DEFAULT_PORT;
  if (count > 2 || port < 0) {
    fprintf(stderr, "usage: fake_openai [PORT]\n");
    return EXIT_USAGE;
  }
  listen_on(port);
  serve();
}
