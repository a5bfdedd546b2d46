#include "cluster/status.h"

#include <limits.h>

#include "cluster/fault_set.h"

// An excerpt of an answer that is no Status: a proxy's text, say.
#define EXCERPT_MAX 200

struct phrase {
  int code;
  const char *text;  // metav1.StatusReason where Kubernetes has one
};

static const char *phrase_of(int code) {
  static const struct phrase phrases[] = {
      {400, "BadRequest"}, {401, "Unauthorized"},          {403, "Forbidden"},
      {404, "NotFound"},   {405, "MethodNotAllowed"},      {409, "Conflict"},
      {410, "Gone"},       {413, "RequestEntityTooLarge"}, {415, "UnsupportedMediaType"},
      {422, "Invalid"},    {429, "TooManyRequests"},       {500, "InternalError"},
      {502, "BadGateway"}, {503, "ServiceUnavailable"},    {504, "Timeout"},
  };
  for (size_t i = 0; i < sizeof phrases / sizeof phrases[0]; i++) {
    if (phrases[i].code == code) {
      return phrases[i].text;
    }
  }
  return "";
}

static enum fault_kind kind_of(int code, struct text reason) {
  switch (code) {
    case 401:
      return FAULT_UNAUTHORIZED;
    case 403:
      return FAULT_FORBIDDEN;
    case 404:
      return FAULT_NOT_FOUND;
    case 409:
      return text_equals(reason, TEXT("AlreadyExists")) ? FAULT_ALREADY_EXISTS : FAULT_CONFLICT;
    case 410:
      return FAULT_GONE;
    case 413:
      return FAULT_TOO_LARGE;
    case 429:
      return FAULT_BUSY;
    default:
      break;
  }
  if (code >= 500) {
    return FAULT_SERVER;
  }
  return code >= 400 ? FAULT_INVALID : FAULT_PROTOCOL;
}

static struct text member(const json_t *status, const char *name) {
  const json_t *value = json_object_get(status, name);
  return (struct text){json_string_value(value), json_string_length(value)};
}

static int set(const char *what, int code, struct text reason, struct text message,
               struct fault *fault) {
  struct text shown = reason.len == 0 ? text_of(phrase_of(code)) : reason;
  fault_set(fault, kind_of(code, reason), "%s: %d%s%.*s%s%.*s", what, code,
            shown.len == 0 ? "" : " ", TEXT_ARG(shown), message.len == 0 ? "" : ": ",
            TEXT_ARG(message));
  fault->http_code = code;
  return -1;
}

int status_fault(const char *what, int http_code, bool is_json, struct text body,
                 struct fault *fault) {
  json_auto_t *status =
      is_json ? json_loadb(body.data == NULL ? "" : body.data, body.len, JSON_ALLOW_NUL, NULL)
              : NULL;
  struct text message = member(status, "message");
  struct text reason = member(status, "reason");
  if (status == NULL) {
    message = text_cut(body, EXCERPT_MAX);
  }
  if (http_code >= 300 && http_code < 400) {
    message = TEXT("a redirect; the Kubernetes API does not redirect: is the address right?");
  }
  return set(what, http_code, reason, message, fault);
}

int status_fault_of(const char *what, const json_t *status, struct fault *fault) {
  json_int_t code = json_integer_value(json_object_get(status, "code"));
  if (code < 100 || code > 599) {
    code = 500;
  }
  return set(what, (int)code, member(status, "reason"), member(status, "message"), fault);
}
