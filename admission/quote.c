#include "admission/quote.h"

#include <stdbool.h>
#include <stdio.h>

// What of the text is shown; the rest of QUOTE_MAX is for the quotes, "…" and the last escape.
#define SHOWN_MAX 80

// C0, DEL, and the C1 controls, which UTF-8 writes as 0xc2 0x80…0x9f.
static bool is_control(struct text text, size_t i) {
  unsigned char c = (unsigned char)text.data[i];
  unsigned char next = i + 1 < text.len ? (unsigned char)text.data[i + 1] : 0;
  unsigned char before = i > 0 ? (unsigned char)text.data[i - 1] : 0;
  return c < 0x20 || c == 0x7f || (c == 0xc2 && next >= 0x80 && next <= 0x9f) ||
         (c >= 0x80 && c <= 0x9f && before == 0xc2);
}

static size_t character_length(struct text text, size_t i) {
  size_t end = i + 1;
  while (end < text.len && ((unsigned char)text.data[end] & 0xc0) == 0x80 && end - i < 4) {
    end++;
  }
  return end - i;
}

const char *quote_text(struct text text, char quoted[QUOTE_MAX]) {
  size_t used = 0;
  quoted[used++] = '"';
  size_t i = 0;
  while (i < text.len && used < SHOWN_MAX) {
    char c = text.data[i];
    if (is_control(text, i)) {
      snprintf(quoted + used, 5, "\\x%02x", (unsigned char)c);
      used += 4;
      i++;
    } else if (c == '"' || c == '\\') {
      quoted[used++] = '\\';
      quoted[used++] = c;
      i++;
    } else {
      size_t len = character_length(text, i);
      memcpy(quoted + used, text.data + i, len);
      used += len;
      i += len;
    }
  }
  snprintf(quoted + used, QUOTE_MAX - used, "%s\"", i < text.len ? "…" : "");
  return quoted;
}
