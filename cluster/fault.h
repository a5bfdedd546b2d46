#pragma once

#include <stdbool.h>

#include "admission/error.h"

// What kept a call to the API server from its result. A function that takes a `struct fault *`
// returns 0, or -1 with all of it set.

enum fault_kind {
  FAULT_NONE,            // no fault: the zeroed struct
  FAULT_SETTINGS,        // kubeconfig, token, CA: nothing was sent
  FAULT_UNREACHABLE,     // name not found, refused, reset, TLS not agreed or not trusted
  FAULT_TIMEOUT,         // the budget of the call is used up
  FAULT_CANCELLED,       // cluster_cancel()
  FAULT_FOREIGN,         // the kube-system UID is not the pinned one; nothing was written
  FAULT_UNAUTHORIZED,    // 401
  FAULT_FORBIDDEN,       // 403
  FAULT_NOT_FOUND,       // 404: the object, its namespace or the whole resource
  FAULT_CONFLICT,        // 409: another resourceVersion, or a field that another manager owns
  FAULT_ALREADY_EXISTS,  // 409 AlreadyExists, of a create
  FAULT_GONE,            // 410: the resourceVersion is too old; list again
  FAULT_INVALID,         // 400, 405, 415, 422 and other 4xx: the object or the request is wrong
  FAULT_TOO_LARGE,       // the reply is above its limit, or 413
  FAULT_BUSY,            // 429 until the budget was used up
  FAULT_SERVER,          // 5xx until the budget was used up
  FAULT_PROTOCOL,  // not what the Kubernetes API answers: no JSON, a redirect, a garbled event
  FAULT_MEMORY,    // memory is short
};

struct fault {
  enum fault_kind kind;
  int http_code;  // 0 without an answer
  struct error
      error;  // "get secrets/x in ns: 403 Forbidden: …": no secret and no control character
};

// "forbidden", "not found", … for logs and metric labels: lower case, one or two words.
const char *fault_name(enum fault_kind kind);

// True if the same call may work later without anybody's doing: unreachable, time-out, busy,
// server.
bool fault_is_passing(enum fault_kind kind);
