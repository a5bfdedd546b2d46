#include "cluster/fault.h"

#include <stdarg.h>
#include <stdio.h>

#include "admission/text.h"
#include "cluster/fault_set.h"

const char *fault_name(enum fault_kind kind) {
  static const char *const names[] = {
      [FAULT_NONE] = "none",
      [FAULT_SETTINGS] = "settings",
      [FAULT_UNREACHABLE] = "unreachable",
      [FAULT_TIMEOUT] = "timeout",
      [FAULT_CANCELLED] = "cancelled",
      [FAULT_FOREIGN] = "foreign cluster",
      [FAULT_UNAUTHORIZED] = "unauthorized",
      [FAULT_FORBIDDEN] = "forbidden",
      [FAULT_NOT_FOUND] = "not found",
      [FAULT_CONFLICT] = "conflict",
      [FAULT_ALREADY_EXISTS] = "already exists",
      [FAULT_GONE] = "gone",
      [FAULT_INVALID] = "invalid",
      [FAULT_TOO_LARGE] = "too large",
      [FAULT_BUSY] = "busy",
      [FAULT_SERVER] = "server",
      [FAULT_PROTOCOL] = "protocol",
      [FAULT_MEMORY] = "memory",
  };
  return (size_t)kind < sizeof names / sizeof names[0] ? names[kind] : "unknown";
}

bool fault_is_passing(enum fault_kind kind) {
  return kind == FAULT_UNREACHABLE || kind == FAULT_TIMEOUT || kind == FAULT_BUSY ||
         kind == FAULT_SERVER;
}

int fault_set(struct fault *fault, enum fault_kind kind, const char *format, ...) {
  *fault = (struct fault){.kind = kind};
  va_list args;
  va_start(args, format);
  vsnprintf(fault->error.text, sizeof fault->error.text, format, args);
  va_end(args);
  text_blank_controls(fault->error.text, strlen(fault->error.text));
  return -1;
}

int fault_wrap(struct fault *fault, const char *what) {
  return error_wrap(&fault->error, "%s", what);
}

int fault_out_of_memory(struct fault *fault) {
  return fault_set(fault, FAULT_MEMORY, "out of memory");
}
