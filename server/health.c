#include "server/health.h"

#include <stdlib.h>
#include <unistd.h>

#include "server/answer.h"
#include "server/connection.h"
#include "server/page.h"

#define CONNECTIONS_MAX 128U
#define REQUEST_TIMEOUT_MILLISECONDS 5000
#define IDLE_TIMEOUT_MILLISECONDS 120000
#define CONNECTION_MEMORY ((size_t)8 << 10)
#define STACK_BYTES ((size_t)256 << 10)

struct health {
  struct MHD_Daemon *daemon;
  struct connection_list connections;
};

static enum MHD_Result answer(struct MHD_Connection *handle, const char *url, const char *method) {
  const struct page *page = page_find(url, PAGE_PLAIN);
  if (page == NULL) {
    return answer_send(handle, 404,
                       answer_status_new(404,
                                         "unknown path: wanted /livez, /readyz, /metrics or "
                                         "/version"),
                       false);
  }
  return page_answer(page, handle, method, false);
}

static enum MHD_Result handle_request(void *cls, struct MHD_Connection *handle, const char *url,
                                      const char *method, const char *version,
                                      const char *upload_data, size_t *upload_data_size,
                                      void **request_context) {
  (void)version;
  (void)upload_data;
  if (*request_context == NULL) {
    *request_context = cls;
    return MHD_YES;
  }
  if (*upload_data_size > 0) {
    *upload_data_size = 0;  // nobody has a body to send here
    return MHD_YES;
  }
  return answer(handle, url, method);
}

struct health *health_start(const struct listener *listener, struct error *error) {
  struct health *health = calloc(1, sizeof *health);
  if (health == NULL) {
    error_set(error, "out of memory");
    close(listener->fd);
    return NULL;
  }
  connection_list_init(&health->connections, false, REQUEST_TIMEOUT_MILLISECONDS,
                       IDLE_TIMEOUT_MILLISECONDS);
  health->daemon = MHD_start_daemon(
      MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_ITC, 0, NULL, NULL, handle_request, health,  //
      MHD_OPTION_LISTEN_SOCKET, listener->fd,                                              //
      MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS_MAX,                                        //
      MHD_OPTION_CONNECTION_MEMORY_LIMIT, CONNECTION_MEMORY,                               //
      MHD_OPTION_THREAD_STACK_SIZE, STACK_BYTES,                                           //
      MHD_OPTION_NOTIFY_CONNECTION, connection_notify, &health->connections,               //
      MHD_OPTION_NOTIFY_COMPLETED, connection_request_completed, NULL,                     //
      MHD_OPTION_URI_LOG_CALLBACK, connection_request_started, NULL,                       //
      MHD_OPTION_END);
  if (health->daemon == NULL) {
    error_set(error, "libmicrohttpd does not start on %s", listener->name);
    close(listener->fd);
    free(health);
    return NULL;
  }
  return health;
}

void health_reap(struct health *health) {
  connection_list_reap(&health->connections);
}

void health_free(struct health *health) {
  if (health != NULL) {
    MHD_stop_daemon(health->daemon);
    connection_list_free(&health->connections);
    free(health);
  }
}
