#include "cluster/query.h"

// RFC 3986 §2.3: what needs no escape anywhere.
static bool is_unreserved(unsigned char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '.' || c == '_' || c == '~';
}

void query_escape(struct buffer *out, const char *value) {
  for (const char *at = value; *at != '\0'; at++) {
    unsigned char c = (unsigned char)*at;
    if (is_unreserved(c)) {
      buffer_append(out, at, 1);
    } else {
      buffer_printf(out, "%%%02X", c);
    }
  }
}

void query_add(struct buffer *path, const char *name, const char *value) {
  if (value == NULL || value[0] == '\0') {
    return;
  }
  buffer_printf(path, "&%s=", name);
  query_escape(path, value);
}
