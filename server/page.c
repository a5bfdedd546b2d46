#include "server/page.h"

#include <string.h>

#include "server/answer.h"
#include "server/metrics.h"
#include "server/prometheus.h"
#include "server/readiness.h"

// Some ten kilobytes today; bounded by the fixed label values.
#define BODY_MAX ((size_t)1 << 20)

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

struct page {
  const char *path;
  const char *content_type;
  unsigned (*write)(bool verbose, struct buffer *out);
  bool on_tls;  // also on the port that the API server calls
};

static const struct page pages[] = {
    {"/livez", "text/plain; charset=utf-8", livez, true},
    {"/readyz", "text/plain; charset=utf-8", readyz, true},
    {"/metrics", PROMETHEUS_CONTENT_TYPE, all_metrics, false},
    {"/version", "application/json", version, false},
};

const struct page *page_find(const char *path, enum page_port port) {
  for (size_t i = 0; i < sizeof pages / sizeof pages[0]; i++) {
    if (strcmp(pages[i].path, path) == 0) {
      return port == PAGE_PLAIN || pages[i].on_tls ? &pages[i] : NULL;
    }
  }
  return NULL;
}

// "?verbose", with a value or without, as the API server reads it.
static bool is_verbose(struct MHD_Connection *handle) {
  return MHD_lookup_connection_value_n(handle, MHD_GET_ARGUMENT_KIND, "verbose", strlen("verbose"),
                                       NULL, NULL) == MHD_YES;
}

enum MHD_Result page_answer(const struct page *page, struct MHD_Connection *handle,
                            const char *method, bool leaving) {
  if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0) {
    struct MHD_Response *response = answer_status_new(405, "method not allowed: wanted GET");
    if (response != NULL) {
      MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
    }
    return answer_send(handle, 405, response, leaving);
  }
  struct buffer body = {.max = BODY_MAX};
  unsigned status = page->write(is_verbose(handle), &body);
  if (body.failed) {
    buffer_free(&body);
    return answer_send(handle, 503, answer_status_new(503, "out of memory"), true);
  }
  return answer_send(handle, status, answer_new(&body, page->content_type), leaving);
}
