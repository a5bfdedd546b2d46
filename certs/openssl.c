#include "certs/openssl.h"

#include <openssl/err.h>
#include <stdarg.h>
#include <stdio.h>

int certs_openssl_error(struct error *error, const char *format, ...) {
  char what[sizeof error->text];
  va_list args;
  va_start(args, format);
  vsnprintf(what, sizeof what, format, args);
  va_end(args);
  const char *reason = ERR_reason_error_string(ERR_peek_last_error());
  ERR_clear_error();
  return error_set(error, "%s: %s", what, reason == NULL ? "OpenSSL gives no reason" : reason);
}
