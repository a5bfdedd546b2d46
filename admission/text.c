#include "admission/text.h"

#include <ctype.h>

bool text_equals_ignoring_case(struct text a, struct text b) {
  if (a.len != b.len) {
    return false;
  }
  for (size_t i = 0; i < a.len; i++) {
    if (tolower((unsigned char)a.data[i]) != tolower((unsigned char)b.data[i])) {
      return false;
    }
  }
  return true;
}

size_t text_find(struct text text, struct text needle, size_t from) {
  if (needle.len == 0 || needle.len > text.len) {
    return text.len;
  }
  size_t last = text.len - needle.len;
  while (from <= last) {
    const char *hit = memchr(text.data + from, needle.data[0], last - from + 1);
    if (hit == NULL) {
      return text.len;
    }
    from = (size_t)(hit - text.data);
    if (memcmp(hit, needle.data, needle.len) == 0) {
      return from;
    }
    from++;
  }
  return text.len;
}

// Linear in practice and never worse than quadratic: only the last '*' is ever tried again.
bool text_matches_glob(struct text text, struct text glob) {
  size_t t = 0;
  size_t g = 0;
  size_t star = glob.len;
  size_t star_text = 0;
  while (t < text.len) {
    if (g < glob.len && glob.data[g] == '*') {
      star = g++;
      star_text = t;
    } else if (g < glob.len && glob.data[g] == text.data[t]) {
      g++;
      t++;
    } else if (star < glob.len) {
      g = star + 1;
      t = ++star_text;
    } else {
      return false;
    }
  }
  while (g < glob.len && glob.data[g] == '*') {
    g++;
  }
  return g == glob.len;
}

bool text_to_unsigned(struct text text, unsigned long long max, unsigned long long *ret_value) {
  if (text.len == 0) {
    return false;
  }
  unsigned long long value = 0;
  for (size_t i = 0; i < text.len; i++) {
    if (text.data[i] < '0' || text.data[i] > '9') {
      return false;
    }
    unsigned long long digit = (unsigned long long)(text.data[i] - '0');
    if (value > (max - digit) / 10 || digit > max) {
      return false;
    }
    value = value * 10 + digit;
  }
  *ret_value = value;
  return true;
}

// In UTF-8 the C1 controls are C2 80 to C2 9F. Returns how many bytes the control at `at` has.
static size_t control_length(const char *bytes, size_t len, size_t at) {
  unsigned char c = (unsigned char)bytes[at];
  if (c < 0x20 || c == 0x7F) {
    return 1;
  }
  unsigned char next = at + 1 < len ? (unsigned char)bytes[at + 1] : 0;
  return c == 0xC2 && next >= 0x80 && next <= 0x9F ? 2 : 0;
}

void text_blank_controls(char *bytes, size_t len) {
  for (size_t i = 0; i < len; i++) {
    memset(bytes + i, ' ', control_length(bytes, len, i));
  }
}

bool text_has_controls(struct text text) {
  for (size_t i = 0; i < text.len; i++) {
    if (control_length(text.data, text.len, i) > 0) {
      return true;
    }
  }
  return false;
}

bool text_list_contains(const struct text_list *list, struct text text) {
  for (size_t i = 0; i < list->count; i++) {
    if (text_equals(list->items[i], text)) {
      return true;
    }
  }
  return false;
}

bool text_list_matches(const struct text_list *globs, struct text text) {
  for (size_t i = 0; i < globs->count; i++) {
    if (text_matches_glob(text, globs->items[i])) {
      return true;
    }
  }
  return false;
}
