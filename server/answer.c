#include "server/answer.h"

// The longest Status that is written here.
#define STATUS_MAX ((size_t)16384)

struct MHD_Response *answer_new(struct buffer *body, const char *content_type) {
  struct MHD_Response *response =
      MHD_create_response_from_buffer(body->len, body->data, MHD_RESPMEM_MUST_FREE);
  if (response == NULL) {
    buffer_free(body);
    return NULL;
  }
  *body = (struct buffer){.max = body->max};
  if (MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, content_type) != MHD_YES) {
    MHD_destroy_response(response);
    return NULL;
  }
  return response;
}

// metav1.StatusReason (k8s.io/apimachinery/pkg/apis/meta/v1/types.go).
static const char *reason_of(unsigned code) {
  switch (code) {
    case MHD_HTTP_BAD_REQUEST:
      return "BadRequest";
    case MHD_HTTP_FORBIDDEN:
      return "Forbidden";
    case MHD_HTTP_NOT_FOUND:
      return "NotFound";
    case MHD_HTTP_METHOD_NOT_ALLOWED:
      return "MethodNotAllowed";
    case MHD_HTTP_CONTENT_TOO_LARGE:
      return "RequestEntityTooLarge";
    case MHD_HTTP_UNSUPPORTED_MEDIA_TYPE:
      return "UnsupportedMediaType";
    case MHD_HTTP_SERVICE_UNAVAILABLE:
      return "ServiceUnavailable";
    default:
      return "InternalError";
  }
}

struct MHD_Response *answer_status_new(unsigned code, const char *message) {
  struct buffer body = {.max = STATUS_MAX};
  buffer_printf(&body,
                "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},"
                "\"status\":\"Failure\",\"message\":");
  buffer_append_json_string(&body, text_of(message));
  buffer_printf(&body, ",\"reason\":\"%s\",\"code\":%u}", reason_of(code), code);
  if (body.failed) {
    buffer_free(&body);
    return NULL;
  }
  return answer_new(&body, "application/json");
}

enum MHD_Result answer_send(struct MHD_Connection *connection, unsigned code,
                            struct MHD_Response *response, bool close_after) {
  if (response == NULL) {
    return MHD_NO;
  }
  if (close_after) {
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
  }
  enum MHD_Result queued = MHD_queue_response(connection, code, response);
  MHD_destroy_response(response);
  return queued;
}
