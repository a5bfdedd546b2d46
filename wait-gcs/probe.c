#include "wait-gcs/probe.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "wait-gcs/greeting.h"

#define CONNECT_MS 3000
#define FIRST_BYTE_MS 3000
#define SILENCE_MS 2000     // mode auto: then the server is asked for TLS
#define CONNECTIONS_MAX 48  // as many addresses as musl returns

// How far a connection came. What is told is the fate of the one that came farthest.
enum progress { PROGRESS_NONE, PROGRESS_REFUSED, PROGRESS_CONNECTED, PROGRESS_SPOKE };

struct connection {
  bool connected;
  bool asked;          // client_hello was sent
  long long deadline;  // on clock_ms()
  size_t count;
  unsigned char bytes[GREETING_MAX];
};

struct probe {
  enum wait_mode mode;
  size_t count;
  struct pollfd polled[CONNECTIONS_MAX];  // fd -1: over
  struct connection connections[CONNECTIONS_MAX];
  bool ready;
  enum progress progress;
  const char *reason;
};

long long clock_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (long long)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

// The words of glibc, which the shell form shows, whatever libc this is linked with.
static const char *error_text(int number) {
  switch (number) {
    case ECONNREFUSED:
      return "Connection refused";
    case EHOSTUNREACH:
      return "No route to host";
    case ETIMEDOUT:
      return "timed out";
    default:
      return strerror(number);
  }
}

static const char *resolver_text(int code) {
  switch (code) {
    case EAI_NONAME:
#if defined(EAI_NODATA) && EAI_NODATA != EAI_NONAME
    case EAI_NODATA:
#endif
      return "Name or service not known";
    case EAI_AGAIN:
      return "Temporary failure in name resolution";
    case EAI_SYSTEM:
      return strerror(errno);
    default:
      return gai_strerror(code);
  }
}

static int look_up(const char *host, const char *port, struct addrinfo **list) {
  const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
  return getaddrinfo(host, port, &hints, list);
}

// With the resolv.conf of a pod ("ndots:5" and three search domains or more) the full name of a
// service costs four questions before its own, and one search domain whose name server fails ends
// the search. So NAME.svc.DOMAIN is asked for as it is, first.
static int resolve(const struct arguments *arguments, struct addrinfo **list) {
  char absolute[HOST_MAX + 2];
  size_t length = strlen(arguments->host);
  if (strstr(arguments->host, ".svc.") != NULL && arguments->host[length - 1] != '.') {
    snprintf(absolute, sizeof absolute, "%s.", arguments->host);
    int code = look_up(absolute, arguments->port, list);
    // /etc/hosts knows no names with a dot at the end.
    return code == 0 || look_up(arguments->host, arguments->port, list) == 0 ? 0 : code;
  }
  return look_up(arguments->host, arguments->port, list);
}

static void fail(struct probe *probe, enum progress progress, const char *reason) {
  if (progress >= probe->progress) {
    probe->progress = progress;
    probe->reason = reason;
  }
}

static void close_connection(struct probe *probe, size_t i) {
  close(probe->polled[i].fd);
  probe->polled[i].fd = -1;
}

static void start_connection(struct probe *probe, const struct addrinfo *address) {
  int fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) {
    fail(probe, PROGRESS_NONE, error_text(errno));
    return;
  }
  if (connect(fd, address->ai_addr, address->ai_addrlen) != 0 && errno != EINPROGRESS) {
    fail(probe, PROGRESS_REFUSED, error_text(errno));
    close(fd);
    return;
  }
  probe->polled[probe->count] = (struct pollfd){.fd = fd, .events = POLLOUT};
  probe->connections[probe->count] = (struct connection){.deadline = clock_ms() + CONNECT_MS};
  probe->count++;
}

static void ask_for_tls(struct probe *probe, size_t i) {
  struct connection *connection = &probe->connections[i];
  connection->asked = true;
  connection->deadline = clock_ms() + FIRST_BYTE_MS;
  // An empty socket takes so little whole. If the server is gone the next read says so.
  (void)!send(probe->polled[i].fd, client_hello, client_hello_size, MSG_NOSIGNAL);
}

static void on_connected(struct probe *probe, size_t i) {
  struct connection *connection = &probe->connections[i];
  int error = 0;
  socklen_t size = sizeof error;
  if (getsockopt(probe->polled[i].fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0 || error != 0) {
    fail(probe, PROGRESS_REFUSED, error_text(error));
    close_connection(probe, i);
    return;
  }
  connection->connected = true;
  probe->polled[i].events = POLLIN;
  connection->deadline = clock_ms() + (probe->mode == WAIT_AUTO ? SILENCE_MS : FIRST_BYTE_MS);
  if (probe->mode == WAIT_TLS) {
    ask_for_tls(probe, i);
  }
  probe->ready = probe->ready || probe->mode == WAIT_TCP;
}

static void on_readable(struct probe *probe, size_t i) {
  struct connection *connection = &probe->connections[i];
  ssize_t got = recv(probe->polled[i].fd, connection->bytes + connection->count,
                     GREETING_MAX - connection->count, 0);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
    return;
  }
  connection->count += got > 0 ? (size_t)got : 0;
  enum verdict verdict =
      greeting_judge(probe->mode, connection->asked, connection->bytes, connection->count);
  if (verdict == VERDICT_READY) {
    probe->ready = true;
  } else if (verdict == VERDICT_OTHER || (got <= 0 && connection->count > 0)) {
    fail(probe, PROGRESS_SPOKE, "unexpected answer");
    close_connection(probe, i);
  } else if (got <= 0) {
    fail(probe, PROGRESS_CONNECTED, "no answer");
    close_connection(probe, i);
  }
}

static void on_deadline(struct probe *probe, size_t i) {
  struct connection *connection = &probe->connections[i];
  if (!connection->connected) {
    fail(probe, PROGRESS_REFUSED, "timed out");
  } else if (connection->count > 0) {
    fail(probe, PROGRESS_SPOKE, "unexpected answer");
  } else if (probe->mode == WAIT_AUTO && !connection->asked) {
    ask_for_tls(probe, i);
    return;
  } else {
    fail(probe, PROGRESS_CONNECTED, "no answer");
  }
  close_connection(probe, i);
}

// The milliseconds until something must be done, -1 when no connection is left.
static int time_left(const struct probe *probe) {
  long long next = -1;
  for (size_t i = 0; i < probe->count; i++) {
    long long deadline = probe->connections[i].deadline;
    if (probe->polled[i].fd >= 0 && (next < 0 || deadline < next)) {
      next = deadline;
    }
  }
  long long left = next - clock_ms();
  return next < 0 ? -1 : left > 0 ? (int)left : 0;
}

static void watch(struct probe *probe) {
  int left = 0;
  while (!probe->ready && (left = time_left(probe)) >= 0) {
    int ready = poll(probe->polled, probe->count, left);
    for (size_t i = 0; i < probe->count && ready >= 0; i++) {
      if (probe->polled[i].fd < 0) {
        continue;
      }
      if (probe->polled[i].revents != 0) {
        (probe->connections[i].connected ? on_readable : on_connected)(probe, i);
      } else if (clock_ms() >= probe->connections[i].deadline) {
        on_deadline(probe, i);
      }
    }
  }
}

const char *probe_host(const struct arguments *arguments) {
  static struct probe probe;
  probe.mode = arguments->mode;
  probe.count = 0;
  probe.ready = false;
  probe.progress = PROGRESS_NONE;
  probe.reason = "no address";
  struct addrinfo *list = NULL;
  int code = resolve(arguments, &list);
  if (code != 0) {
    return resolver_text(code);
  }
  for (struct addrinfo *address = list; address != NULL && probe.count < CONNECTIONS_MAX;
       address = address->ai_next) {
    start_connection(&probe, address);
  }
  freeaddrinfo(list);
  watch(&probe);
  for (size_t i = 0; i < probe.count; i++) {
    if (probe.polled[i].fd >= 0) {
      close_connection(&probe, i);
    }
  }
  return probe.ready ? NULL : probe.reason;
}
