#include "server/health.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/answer.h"
#include "server/connection.h"
#include "server/metrics.h"
#include "server/prometheus.h"
#include "server/readiness.h"

#define CONNECTIONS_MAX 128U
#define REQUEST_TIMEOUT_MILLISECONDS 5000
#define IDLE_TIMEOUT_MILLISECONDS 120000
#define CONNECTION_MEMORY ((size_t)8 << 10)
#define STACK_BYTES ((size_t)256 << 10)

// Some ten kilobytes today; bounded by the fixed label values.
#define BODY_MAX ((size_t)1 << 20)

struct health {
  struct MHD_Daemon *daemon;
  struct connection_list connections;
};

static unsigned livez(bool verbose, struct buffer *out) {
  liveness_report(verbose, out);
  return MHD_HTTP_OK;
}

static unsigned readyz(bool verbose, struct buffer *out) {
  return readiness_report(verbose, out) ? MHD_HTTP_OK : MHD_HTTP_SERVICE_UNAVAILABLE;
}

static unsigned all_metrics(bool verbose, struct buffer *out) {
  (void)verbose;
  metrics_write(out);
  return MHD_HTTP_OK;
}

static unsigned version(bool verbose, struct buffer *out) {
  (void)verbose;
  buffer_printf(out, "{\"version\":\"%s\",\"gitCommit\":\"%s\"}\n", RAYFIX_VERSION, RAYFIX_COMMIT);
  return MHD_HTTP_OK;
}

static const struct page {
  const char *path;
  const char *content_type;
  unsigned (*write)(bool verbose, struct buffer *out);
} pages[] = {
    {"/livez", "text/plain; charset=utf-8", livez},
    {"/readyz", "text/plain; charset=utf-8", readyz},
    {"/metrics", PROMETHEUS_CONTENT_TYPE, all_metrics},
    {"/version", "application/json", version},
};

static const struct page *find_page(const char *url) {
  for (size_t i = 0; i < sizeof pages / sizeof pages[0]; i++) {
    if (strcmp(pages[i].path, url) == 0) {
      return &pages[i];
    }
  }
  return NULL;
}

// "?verbose", with a value or without, as the API server reads it.
static bool is_verbose(struct MHD_Connection *handle) {
  return MHD_lookup_connection_value_n(handle, MHD_GET_ARGUMENT_KIND, "verbose", strlen("verbose"),
                                       NULL, NULL) == MHD_YES;
}

static enum MHD_Result answer(struct MHD_Connection *handle, const char *url, const char *method) {
  const struct page *page = find_page(url);
  if (page == NULL) {
    return answer_send(handle, 404,
                       answer_status_new(404,
                                         "unknown path: wanted /livez, /readyz, /metrics or "
                                         "/version"),
                       false);
  }
  if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0) {
    struct MHD_Response *response = answer_status_new(405, "method not allowed: wanted GET");
    if (response != NULL) {
      MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
    }
    return answer_send(handle, 405, response, false);
  }
  struct buffer body = {.max = BODY_MAX};
  unsigned status = page->write(is_verbose(handle), &body);
  if (body.failed) {
    buffer_free(&body);
    return answer_send(handle, 503, answer_status_new(503, "out of memory"), true);
  }
  return answer_send(handle, status, answer_new(&body, page->content_type), false);
}

static enum MHD_Result handle_request(void *cls, struct MHD_Connection *handle, const char *url,
                                      const char *method, const char *version_text,
                                      const char *upload_data, size_t *upload_data_size,
                                      void **request_context) {
  (void)version_text;
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
