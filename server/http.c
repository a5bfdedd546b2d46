#include "server/http.h"

#include <errno.h>
#include <gnutls/abstract.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/acceptor.h"
#include "server/log.h"
#include "server/route.h"

// Request line and headers; bodies pass through it in pieces.
#define CONNECTION_MEMORY ((size_t)16 << 10)
#define STACK_BYTES ((size_t)512 << 10)

// libmicrohttpd 0.9.75 deadlocks when a daemon of added connections reaches its limit (daemon.c,
// new_connection_process_() returns with its lock held), so ours is enforced before.
#define DAEMON_CONNECTIONS_MAX 1000000U

// A thread with its connections.
struct shard {
  struct MHD_Daemon *daemon;
  struct connection_list connections;
  size_t given;  // connections ever handed over; only the accepting thread looks
};

struct http {
  struct acceptor *acceptor;
  size_t connections_max;
  size_t count;
  struct shard shards[];
};

static atomic_int stage = HTTP_SERVING;

void http_set_stage(enum http_stage next) {
  atomic_store(&stage, next);
}

static void *request_line_read(void *cls, const char *uri, struct MHD_Connection *handle) {
  struct connection *connection = connection_of(handle);
  if (connection != NULL) {
    connection->late = atomic_load(&stage) == HTTP_STOPPING;
  }
  return connection_request_started(cls, uri, handle);
}

static enum MHD_Result handle_request(void *cls, struct MHD_Connection *handle, const char *url,
                                      const char *method, const char *version,
                                      const char *upload_data, size_t *upload_data_size,
                                      void **request_context) {
  (void)cls;
  (void)version;
  struct connection *connection = connection_of(handle);
  if (connection == NULL) {
    return MHD_NO;
  }
  if (*request_context == NULL) {
    *request_context = connection;
    route_begin(connection, handle, url, method);
    return MHD_YES;
  }
  if (*upload_data_size > 0) {
    route_receive(connection, upload_data, *upload_data_size);
    *upload_data_size = 0;
    return MHD_YES;
  }
  connection_request_read(connection);
  return route_answer(connection, handle, method, atomic_load(&stage) != HTTP_SERVING);
}

__attribute__((format(printf, 2, 0))) static void log_library(void *cls, const char *format,
                                                              va_list args) {
  (void)cls;
  char text[256];
  int len = vsnprintf(text, sizeof text, format, args);
  for (; len > 0 && (size_t)len < sizeof text && text[len - 1] == '\n'; len--) {
    text[len - 1] = '\0';
  }
  // What clients do wrong, mostly: handshakes that fail, connections that break.
  log_message(LOG_LEVEL_DEBUG, "libmicrohttpd: %s", text);
}

// Every session gets its credentials when it starts, see connection.c; this only tells
// libmicrohttpd that there is no fixed pair.
static int no_certificate(gnutls_session_t session, const gnutls_datum_t *names, int name_count,
                          const gnutls_pk_algorithm_t *algorithms, int algorithm_count,
                          gnutls_pcert_st **chain, unsigned *chain_len, gnutls_privkey_t *key) {
  (void)session, (void)names, (void)name_count, (void)algorithms, (void)algorithm_count;
  (void)chain, (void)chain_len, (void)key;
  return -1;
}

// Paths are compared as they are written: with "%00" decoded, "/mutate%00x" would be "/mutate".
static size_t leave_escaped(void *cls, struct MHD_Connection *handle, char *text) {
  (void)cls;
  (void)handle;
  return strlen(text);
}

static struct MHD_Daemon *start_daemon(struct shard *shard, const struct settings *settings) {
  // Only a net under our own deadlines.
  unsigned inactivity = (unsigned)(settings->limits.idle_timeout / 1000) + 5;
  return MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_TLS | MHD_USE_NO_LISTEN_SOCKET |
                              MHD_USE_ITC | MHD_USE_ERROR_LOG,
                          0, NULL, NULL, handle_request, NULL,            //
                          MHD_OPTION_EXTERNAL_LOGGER, log_library, NULL,  //
                          MHD_OPTION_HTTPS_PRIORITIES,
                          tls_priorities(settings->tls.min_version),                             //
                          MHD_OPTION_HTTPS_CERT_CALLBACK, no_certificate,                        //
                          MHD_OPTION_CONNECTION_LIMIT, DAEMON_CONNECTIONS_MAX,                   //
                          MHD_OPTION_CONNECTION_TIMEOUT, inactivity,                             //
                          MHD_OPTION_CONNECTION_MEMORY_LIMIT, CONNECTION_MEMORY,                 //
                          MHD_OPTION_THREAD_STACK_SIZE, STACK_BYTES,                             //
                          MHD_OPTION_NOTIFY_CONNECTION, connection_notify, &shard->connections,  //
                          MHD_OPTION_NOTIFY_COMPLETED, connection_request_completed, NULL,       //
                          MHD_OPTION_URI_LOG_CALLBACK, request_line_read, NULL,                  //
                          MHD_OPTION_UNESCAPE_CALLBACK, leave_escaped, NULL,                     //
                          MHD_OPTION_END);
}

static size_t load_of(struct shard *shard) {
  return shard->given - atomic_load(&shard->connections.closed);
}

static void give_connection(void *context, int fd, const struct sockaddr *address,
                            socklen_t address_len) {
  struct http *http = context;
  struct shard *least = &http->shards[0];
  for (size_t i = 1; i < http->count; i++) {
    if (load_of(&http->shards[i]) < load_of(least)) {
      least = &http->shards[i];
    }
  }
  if (MHD_add_connection(least->daemon, fd, address, address_len) == MHD_YES) {
    least->given++;
  }
}

static bool is_full(void *context) {
  struct http *http = context;
  return http_count(http).open >= http->connections_max;
}

// Cores that this process may run on.
static size_t usable_cores(void) {
  cpu_set_t set;
  return sched_getaffinity(0, sizeof set, &set) == 0 ? (size_t)CPU_COUNT(&set) : 1;
}

static int start_shards(struct http *http, const struct settings *settings, struct error *error) {
  for (size_t i = 0; i < http->count; i++) {
    struct shard *shard = &http->shards[i];
    connection_list_init(&shard->connections, true, settings->limits.request_timeout,
                         settings->limits.idle_timeout);
    shard->daemon = start_daemon(shard, settings);
    if (shard->daemon == NULL) {
      return error_set(error, "libmicrohttpd does not start: %s", strerror(errno));
    }
  }
  return 0;
}

struct http *http_start(const struct listener *listener, const struct settings *settings,
                        struct error *error) {
  size_t count = settings->server.threads > 0 ? (size_t)settings->server.threads : usable_cores();
  struct http *http = calloc(1, sizeof *http + count * sizeof http->shards[0]);
  if (http == NULL) {
    error_set(error, "out of memory");
    close(listener->fd);
    return NULL;
  }
  http->count = count;
  http->connections_max = (size_t)settings->limits.connections;
  if (start_shards(http, settings, error) != 0) {
    close(listener->fd);
    http_free(http);
    return NULL;
  }
  http->acceptor = acceptor_start(listener, give_connection, is_full, http, error);
  if (http->acceptor == NULL) {
    http_free(http);
    return NULL;
  }
  return http;
}

void http_stop_accepting(struct http *http) {
  acceptor_stop(http->acceptor);
  http->acceptor = NULL;
}

void http_reap(struct http *http) {
  for (size_t i = 0; i < http->count; i++) {
    connection_list_reap(&http->shards[i].connections);
  }
}

void http_half_close(struct http *http) {
  for (size_t i = 0; i < http->count; i++) {
    connection_list_half_close(&http->shards[i].connections);
  }
}

struct http_counts http_count(struct http *http) {
  struct http_counts sum = {0};
  for (size_t i = 0; i < http->count; i++) {
    struct connection_list *list = &http->shards[i].connections;
    sum.open += atomic_load(&list->count);
    // Busy last: a connection that turns busy in between is counted twice rather than not at all.
    sum.awaited += atomic_load(&list->fresh);
    sum.awaited += atomic_load(&list->busy);
    sum.requests += atomic_load(&list->requests);
  }
  return sum;
}

void http_free(struct http *http) {
  if (http == NULL) {
    return;
  }
  acceptor_stop(http->acceptor);
  for (size_t i = 0; i < http->count; i++) {
    if (http->shards[i].daemon != NULL) {
      MHD_stop_daemon(http->shards[i].daemon);
      connection_list_free(&http->shards[i].connections);
    }
  }
  free(http);
}
