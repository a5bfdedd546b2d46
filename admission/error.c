#include "admission/error.h"

#include <stdarg.h>
#include <stdio.h>

int error_set(struct error *error, const char *format, ...) {
  va_list args;
  va_start(args, format);
  vsnprintf(error->text, sizeof error->text, format, args);
  va_end(args);
  return -1;
}

int error_wrap(struct error *error, const char *format, ...) {
  struct error inner = *error;
  va_list args;
  va_start(args, format);
  int used = vsnprintf(error->text, sizeof error->text, format, args);
  va_end(args);
  if (used >= 0 && (size_t)used < sizeof error->text) {
    int room = (int)sizeof error->text - used - 3;
    snprintf(error->text + used, sizeof error->text - (size_t)used, ": %.*s", room < 0 ? 0 : room,
             inner.text);
  }
  return -1;
}
