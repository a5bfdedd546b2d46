#include "server/route.h"

#include <string.h>

#include "server/answer.h"
#include "server/client_auth.h"
#include "server/clock.h"
#include "server/log.h"
#include "server/page.h"
#include "server/worker.h"

struct refusal_answer {
  unsigned status;
  const char *message;
  const char *header;  // NULL for none
  const char *value;
};

static const struct refusal_answer refusal_answers[] = {
    [REFUSAL_NOT_FOUND] = {404, "unknown path: wanted /mutate or /validate", NULL, NULL},
    [REFUSAL_METHOD] = {405, "method not allowed: wanted POST", "Allow", "POST"},
    [REFUSAL_MEDIA_TYPE] = {415, "unsupported media type: wanted Content-Type: application/json",
                            NULL, NULL},
    [REFUSAL_CLIENT] = {403, "a client certificate that is allowed here is required", NULL, NULL},
    [REFUSAL_BYTES_IN_FLIGHT] = {503, "too many bytes in flight, try again", "Retry-After", "1"},
    [REFUSAL_OUT_OF_MEMORY] = {503, "out of memory, try again", "Retry-After", "1"},
    // Retried at once by the API server (protocol §1.5), on a connection to another replica.
    [REFUSAL_LATE] = {503, "shutting down, try again", "Retry-After", "0"},
};

static enum metrics_path path_of(const char *url) {
  if (strcmp(url, "/mutate") == 0) {
    return METRICS_MUTATE;
  }
  return strcmp(url, "/validate") == 0 ? METRICS_VALIDATE : METRICS_OTHER;
}

static struct text header_of(struct MHD_Connection *handle, const char *name) {
  return text_of(MHD_lookup_connection_value(handle, MHD_HEADER_KIND, name));
}

// "application/json", with parameters or without (RFC 9110 §8.3.1). The other is what curl says of
// --data-binary when nobody tells it more: the body decides, and a person who tries it by hand gets
// the answer that the API server would get.
static bool is_welcome_type(struct text content_type) {
  size_t end = text_find(content_type, TEXT(";"), 0);
  while (end > 0 && (content_type.data[end - 1] == ' ' || content_type.data[end - 1] == '\t')) {
    end--;
  }
  struct text type = text_slice(content_type, 0, end);
  return text_equals_ignoring_case(type, TEXT("application/json")) ||
         text_equals_ignoring_case(type, TEXT("application/x-www-form-urlencoded"));
}

static bool client_is_welcome(struct connection *connection, struct MHD_Connection *handle) {
  if (connection->client_checked || connection->identity == NULL ||
      !tls_identity_asks_clients(connection->identity)) {
    return true;
  }
  const union MHD_ConnectionInfo *info =
      MHD_get_connection_info(handle, MHD_CONNECTION_INFO_GNUTLS_SESSION);
  struct worker *worker = worker_self();
  if (info == NULL || worker == NULL) {
    return false;
  }
  struct error error;
  const struct configuration *configuration = worker_acquire(worker);
  connection->client_checked =
      client_is_allowed(info->tls_session, &configuration->settings.tls.client_names, &error);
  worker_release(worker);
  if (!connection->client_checked) {
    log_fields(LOG_LEVEL_WARN, "client refused",
               (struct log_field[]){log_text("reason", text_of(error.text))}, 1);
  }
  return connection->client_checked;
}

static enum refusal find_refusal(struct connection *connection, struct MHD_Connection *handle,
                                 enum metrics_path path, const char *method) {
  if (!client_is_welcome(connection, handle)) {
    return REFUSAL_CLIENT;
  }
  if (path == METRICS_OTHER) {
    return REFUSAL_NOT_FOUND;
  }
  if (strcmp(method, MHD_HTTP_METHOD_POST) != 0) {
    return REFUSAL_METHOD;
  }
  if (!is_welcome_type(header_of(handle, MHD_HTTP_HEADER_CONTENT_TYPE))) {
    return REFUSAL_MEDIA_TYPE;
  }
  return connection->late ? REFUSAL_LATE : REFUSAL_NONE;
}

void route_begin(struct connection *connection, struct MHD_Connection *handle, const char *url,
                 const char *method) {
  enum metrics_path path = path_of(url);
  // A probe of the kubelet, which has no client certificate: neither judged nor counted.
  connection->page = path == METRICS_OTHER ? page_find(url, PAGE_TLS) : NULL;
  if (connection->page != NULL) {
    return;
  }
  atomic_fetch_add(&connection->list->requests, 1);
  unsigned long long length = 0;
  struct text announced = header_of(handle, MHD_HTTP_HEADER_CONTENT_LENGTH);
  text_to_unsigned(announced, SIZE_MAX, &length);
  request_begin(&connection->request, path, find_refusal(connection, handle, path, method),
                (size_t)length);
}

void route_receive(struct connection *connection, const char *bytes, size_t len) {
  if (connection->page == NULL) {  // nobody has a body to send to a page
    request_receive(&connection->request, bytes, len);
  }
}

static void count_shed(enum refusal refusal) {
  if (refusal == REFUSAL_BYTES_IN_FLIGHT) {
    metrics_shed(METRICS_SHED_BYTES_IN_FLIGHT);
  } else if (refusal == REFUSAL_OUT_OF_MEMORY) {
    metrics_shed(METRICS_SHED_OUT_OF_MEMORY);
  } else if (refusal == REFUSAL_LATE) {
    metrics_shed(METRICS_SHED_SHUTTING_DOWN);
  }
}

static struct MHD_Response *refusal_response(enum refusal refusal) {
  const struct refusal_answer *answer = &refusal_answers[refusal];
  count_shed(refusal);
  struct MHD_Response *response = answer_status_new(answer->status, answer->message);
  if (response != NULL && answer->header != NULL) {
    MHD_add_response_header(response, answer->header, answer->value);
  }
  return response;
}

enum MHD_Result route_answer(struct connection *connection, struct MHD_Connection *handle,
                             const char *method, bool leaving) {
  if (connection->page != NULL) {
    return page_answer(connection->page, handle, method, leaving);
  }
  struct request *request = &connection->request;
  struct verdict verdict = request_judge(request);
  unsigned status = verdict.status;
  struct MHD_Response *response;
  if (verdict.refusal != REFUSAL_NONE) {
    status = refusal_answers[verdict.refusal].status;
    response = refusal_response(verdict.refusal);
  } else {
    metrics_bytes_sent(verdict.out.len);
    response = answer_new(&verdict.out, "application/json");
  }
  metrics_answer(request->path, status, clock_nanoseconds() - request->started);
  return answer_send(handle, status, response, leaving || verdict.refusal == REFUSAL_CLIENT);
}
