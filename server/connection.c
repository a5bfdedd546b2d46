#include "server/connection.h"

#include <gnutls/gnutls.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "server/clock.h"

void connection_list_init(struct connection_list *list, bool tls, int64_t request_timeout,
                          int64_t idle_timeout) {
  *list = (struct connection_list){
      .tls = tls, .request_timeout = request_timeout, .idle_timeout = idle_timeout};
  pthread_mutex_init(&list->lock, NULL);
}

void connection_list_free(struct connection_list *list) {
  pthread_mutex_destroy(&list->lock);
}

static void set_deadline(struct connection *connection, int64_t milliseconds_from_now) {
  atomic_store_explicit(&connection->deadline, clock_milliseconds() + milliseconds_from_now,
                        memory_order_relaxed);
}

static int attach_identity(struct connection *connection, struct MHD_Connection *handle) {
  const union MHD_ConnectionInfo *info =
      MHD_get_connection_info(handle, MHD_CONNECTION_INFO_GNUTLS_SESSION);
  connection->identity = tls_current();
  if (info == NULL || info->tls_session == NULL || connection->identity == NULL) {
    return -1;
  }
  return tls_identity_attach(connection->identity, info->tls_session);
}

static void insert(struct connection *connection) {
  struct connection_list *list = connection->list;
  pthread_mutex_lock(&list->lock);
  connection->next = list->first;
  if (list->first != NULL) {
    list->first->previous = connection;
  }
  list->first = connection;
  pthread_mutex_unlock(&list->lock);
  atomic_fetch_add(&list->count, 1);
}

static void take_out(struct connection *connection) {
  struct connection_list *list = connection->list;
  pthread_mutex_lock(&list->lock);
  if (connection->previous != NULL) {
    connection->previous->next = connection->next;
  } else {
    list->first = connection->next;
  }
  if (connection->next != NULL) {
    connection->next->previous = connection->previous;
  }
  pthread_mutex_unlock(&list->lock);
  atomic_fetch_sub(&list->count, 1);
  atomic_fetch_add(&list->closed, 1);
}

static void started(struct connection_list *list, struct MHD_Connection *handle,
                    void **socket_context) {
  *socket_context = NULL;
  const union MHD_ConnectionInfo *info =
      MHD_get_connection_info(handle, MHD_CONNECTION_INFO_CONNECTION_FD);
  if (info == NULL) {
    return;
  }
  struct connection *connection = calloc(1, sizeof *connection);
  if (connection == NULL) {
    shutdown(info->connect_fd, SHUT_RDWR);  // nobody would watch over it
    return;
  }
  connection->list = list;
  connection->fd = info->connect_fd;
  if (list->tls && attach_identity(connection, handle) != 0) {
    shutdown(connection->fd, SHUT_RDWR);
  }
  set_deadline(connection, list->request_timeout);
  atomic_fetch_add(&list->fresh, 1);
  insert(connection);
  if (list->tls) {
    metrics_connections_changed(1);
  }
  *socket_context = connection;
}

// The request is over, however it ended.
static void request_over(struct connection *connection) {
  request_end(&connection->request);
  if (atomic_load(&connection->phase) == CONNECTION_BUSY) {
    set_deadline(connection, connection->list->idle_timeout);
    atomic_store(&connection->phase, CONNECTION_IDLE);
    atomic_fetch_sub(&connection->list->busy, 1);
  }
}

static void closed(void **socket_context) {
  struct connection *connection = *socket_context;
  *socket_context = NULL;
  if (connection == NULL) {
    return;
  }
  request_over(connection);
  if (atomic_load(&connection->phase) == CONNECTION_NEW) {
    atomic_fetch_sub(&connection->list->fresh, 1);
  }
  // Before libmicrohttpd closes the socket: afterwards its number may belong to somebody else.
  take_out(connection);
  if (connection->list->tls) {
    metrics_connections_changed(-1);
  }
  tls_identity_unref(connection->identity);
  free(connection);
}

void connection_notify(void *cls, struct MHD_Connection *handle, void **socket_context,
                       enum MHD_ConnectionNotificationCode code) {
  if (code == MHD_CONNECTION_NOTIFY_STARTED) {
    started(cls, handle, socket_context);
  } else {
    closed(socket_context);
  }
}

struct connection *connection_of(struct MHD_Connection *handle) {
  const union MHD_ConnectionInfo *info =
      MHD_get_connection_info(handle, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
  return info == NULL ? NULL : info->socket_context;
}

static void request_started(struct connection *connection) {
  int before = atomic_exchange(&connection->phase, CONNECTION_BUSY);
  if (before == CONNECTION_BUSY) {
    return;
  }
  atomic_fetch_add(&connection->list->busy, 1);
  if (before == CONNECTION_NEW) {
    atomic_fetch_sub(&connection->list->fresh, 1);
  } else {
    set_deadline(connection, connection->list->request_timeout);
  }
}

void *connection_request_started(void *cls, const char *uri, struct MHD_Connection *handle) {
  (void)cls;
  (void)uri;
  struct connection *connection = connection_of(handle);
  if (connection != NULL) {
    request_started(connection);
  }
  return NULL;
}

void connection_request_read(struct connection *connection) {
  set_deadline(connection, connection->list->request_timeout);
}

void connection_request_completed(void *cls, struct MHD_Connection *handle, void **request_context,
                                  enum MHD_RequestTerminationCode code) {
  (void)cls;
  (void)code;
  *request_context = NULL;
  struct connection *connection = connection_of(handle);
  if (connection != NULL) {
    request_over(connection);
  }
}

static void close_late(struct connection *connection, int64_t now) {
  int_fast64_t deadline = atomic_load_explicit(&connection->deadline, memory_order_relaxed);
  // The exchange fails when its thread has just set a new deadline.
  if (deadline == 0 || now < deadline ||
      !atomic_compare_exchange_strong(&connection->deadline, &deadline, 0)) {
    return;
  }
  shutdown(connection->fd, SHUT_RDWR);
  metrics_closed(atomic_load(&connection->phase) == CONNECTION_IDLE
                     ? METRICS_CLOSED_IDLE_TIMEOUT
                     : METRICS_CLOSED_REQUEST_TIMEOUT);
}

void connection_list_reap(struct connection_list *list) {
  int64_t now = clock_milliseconds();
  pthread_mutex_lock(&list->lock);
  for (struct connection *it = list->first; it != NULL; it = it->next) {
    close_late(it, now);
  }
  pthread_mutex_unlock(&list->lock);
}

void connection_list_half_close(struct connection_list *list) {
  pthread_mutex_lock(&list->lock);
  for (struct connection *it = list->first; it != NULL; it = it->next) {
    int unread = 0;
    bool idle = atomic_load(&it->phase) == CONNECTION_IDLE;
    if (idle && ioctl(it->fd, FIONREAD, &unread) == 0 && unread == 0) {
      shutdown(it->fd, SHUT_WR);
    }
  }
  pthread_mutex_unlock(&list->lock);
}
