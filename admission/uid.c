#include "admission/uid.h"

#include <ctype.h>

#define UID_LENGTH_MAX 64

static size_t skip_blanks(struct text text, size_t position) {
  while (position < text.len && isspace((unsigned char)text.data[position])) {
    position++;
  }
  return position;
}

// The string after `: "` at `position`; .data NULL if it is no plausible uid.
static struct text uid_value(struct text head, size_t position) {
  position = skip_blanks(head, position);
  if (position >= head.len || head.data[position] != ':') {
    return (struct text){NULL, 0};
  }
  position = skip_blanks(head, position + 1);
  if (position >= head.len || head.data[position] != '"') {
    return (struct text){NULL, 0};
  }
  size_t start = ++position;
  while (position < head.len &&
         (isalnum((unsigned char)head.data[position]) || head.data[position] == '-')) {
    position++;
  }
  size_t len = position - start;
  bool closed = position < head.len && head.data[position] == '"';
  if (!closed || len == 0 || len > UID_LENGTH_MAX) {
    return (struct text){NULL, 0};
  }
  return text_slice(head, start, position);
}

struct text uid_recover(const char *body, size_t len) {
  struct text head = {body, len < UID_SCAN_MAX ? len : UID_SCAN_MAX};
  struct text key = TEXT("\"uid\"");
  size_t request = text_find(head, TEXT("\"request\""), 0);
  // An object has a uid of its own.
  head = text_slice(head, 0, text_find(head, TEXT("\"object\""), request));
  for (size_t at = text_find(head, key, request); at < head.len;
       at = text_find(head, key, at + 1)) {
    struct text uid = uid_value(head, at + key.len);
    if (uid.data != NULL) {
      return uid;
    }
  }
  return (struct text){NULL, 0};
}
