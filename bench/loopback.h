// What both tools need: the clock, loopback sockets, and memory that is there or ends the program.
#ifndef INHOUSE_BENCH_LOOPBACK_H
#define INHOUSE_BENCH_LOOPBACK_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_SECOND 1000000000ull
#define NS_PER_MS 1000000ull
#define NS_PER_US 1000ull
#define HIGHEST_PORT 65535

enum { EXIT_USAGE = 1, EXIT_SYSTEM = 2 };

static inline void fail(const char *what) {
  perror(what);
  exit(EXIT_SYSTEM);
}

// CLOCK_MONOTONIC is one clock for all processes of a machine: a tag that one tool writes is an age
// that the other can read.
static inline uint64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * NS_PER_SECOND + (uint64_t)t.tv_nsec;
}

static inline struct timespec as_timespec(uint64_t ns) {
  return (struct timespec){.tv_sec = (time_t)(ns / NS_PER_SECOND),
                           .tv_nsec = (long)(ns % NS_PER_SECOND)};
}

static inline struct sockaddr_in loopback(int port) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

// Without it Nagle's algorithm would hold back a token until the last one is acknowledged.
static inline void send_at_once(int fd) {
  int on = 1;
  if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on)) fail("setsockopt TCP_NODELAY");
}

static inline void watch(int epoll, int operation, int fd, uint32_t events, void *owner) {
  struct epoll_event event = {.events = events, .data.ptr = owner};
  if (epoll_ctl(epoll, operation, fd, &event)) fail("epoll_ctl");
}

static inline void *resized(void *block, size_t size) {
  void *larger = realloc(block, size);
  if (!larger) fail("realloc");
  return larger;
}

static inline void *zeroed(size_t count, size_t size) {
  void *block = calloc(count, size);
  if (!block) fail("calloc");
  return block;
}

// Returns -1 unless the whole text is a port number; 0 lets the system choose one.
static inline int parse_port(const char *text) {
  char *end;
  long port = strtol(text, &end, 10);
  return *text && !*end && port >= 0 && port <= HIGHEST_PORT ? (int)port : -1;
}

#endif
