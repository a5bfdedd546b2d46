#pragma once

#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "server/page.h"
#include "server/request.h"
#include "server/tls_identity.h"

// Every open connection of a thread with its deadline. libmicrohttpd's own timer starts anew with
// every byte, so one byte now and then would hold a connection for ever (protocol §4.1); here a
// deadline stays until a whole request is there. Who misses it has its socket shut down.

enum connection_phase {
  CONNECTION_NEW,   // handshake, or the first request's headers
  CONNECTION_BUSY,  // a request is being read or answered
  CONNECTION_IDLE,  // has served a request
};

struct connection {
  struct connection *previous;
  struct connection *next;
  struct connection_list *list;
  int fd;
  atomic_int phase;               // enum connection_phase
  atomic_int_fast64_t deadline;   // clock_milliseconds(); 0 for none
  struct tls_identity *identity;  // what it was greeted with; NULL without TLS
  bool client_checked;            // its certificate was found good
  bool late;                      // its request came after accepting had stopped
  const struct page *page;        // what its request asks for; NULL if that is `request`
  struct request request;
};

struct connection_list {
  pthread_mutex_t lock;
  struct connection *first;
  bool tls;                 // sessions get tls_current()
  int64_t request_timeout;  // milliseconds, see limit_settings
  int64_t idle_timeout;
  atomic_size_t count;     // open now
  atomic_size_t closed;    // ever closed
  atomic_size_t fresh;     // in CONNECTION_NEW
  atomic_size_t busy;      // in CONNECTION_BUSY
  atomic_size_t requests;  // ever begun; those for pages are not counted
};

void connection_list_init(struct connection_list *list, bool tls, int64_t request_timeout,
                          int64_t idle_timeout);

// When no connection is left.
void connection_list_free(struct connection_list *list);

// For MHD_OPTION_NOTIFY_CONNECTION; `cls` is the list. Makes and frees the socket context, which is
// the struct connection, or NULL when memory was short.
void connection_notify(void *cls, struct MHD_Connection *handle, void **socket_context,
                       enum MHD_ConnectionNotificationCode code);

// The connection of a handle; NULL when memory was short at its start.
struct connection *connection_of(struct MHD_Connection *handle);

// The request line has been read: the deadline of the whole request begins, unless the first
// request's is running already. A callback for MHD_OPTION_URI_LOG_CALLBACK; NULL always.
void *connection_request_started(void *cls, const char *uri, struct MHD_Connection *handle);

// The whole request has been read: the client has again so long to take the answer.
void connection_request_read(struct connection *connection);

// The answer has been sent, or cannot be: libmicrohttpd's MHD_OPTION_NOTIFY_COMPLETED.
void connection_request_completed(void *cls, struct MHD_Connection *handle, void **request_context,
                                  enum MHD_RequestTerminationCode code);

// Shuts down the connections that are past their deadline.
void connection_list_reap(struct connection_list *list);

// Tells clients of idle connections that nothing more comes (protocol §6), where nothing of theirs
// is waiting to be read. New connections are left alone: their first request may be on its way.
void connection_list_half_close(struct connection_list *list);
