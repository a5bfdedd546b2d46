#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

// A string as (pointer, length). Borrowed: whoever made the bytes keeps them. It may contain NUL,
// because Kubernetes lets NUL through in free-text fields, so it is never compared with strcmp.
struct text {
  const char *data;
  size_t len;
};

// A borrowed list of texts.
struct text_list {
  const struct text *items;
  size_t count;
};

// The text of a string literal.
#define TEXT(literal) ((struct text){(literal), sizeof(literal) - 1})

// At most `max` bytes, cut between two UTF-8 characters.
static inline struct text text_cut(struct text text, size_t max) {
  size_t len = text.len;
  if (len > max) {
    len = max;
    while (len > 0 && ((unsigned char)text.data[len] & 0xC0) == 0x80) {
      len--;
    }
  }
  return (struct text){text.data, len};
}

// The arguments for a "%.*s" conversion. Only for messages: printf stops at a NUL, and what is
// longer than this many bytes is cut.
#define TEXT_ARG_MAX 4096
#define TEXT_ARG(text) (int)text_cut((text), TEXT_ARG_MAX).len, ((text).data ? (text).data : "")

// The text of a NUL-terminated string; NULL gives the empty text.
static inline struct text text_of(const char *string) {
  return (struct text){string, string == NULL ? 0 : strlen(string)};
}

static inline bool text_equals(struct text a, struct text b) {
  return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

static inline bool text_starts_with(struct text text, struct text prefix) {
  return text.len >= prefix.len && memcmp(text.data, prefix.data, prefix.len) == 0;
}

static inline bool text_ends_with(struct text text, struct text suffix) {
  return text.len >= suffix.len &&
         memcmp(text.data + (text.len - suffix.len), suffix.data, suffix.len) == 0;
}

// ASCII letters compare without case.
bool text_equals_ignoring_case(struct text a, struct text b);

// Offset of the first `needle` at or after `from`; text.len when there is none.
size_t text_find(struct text text, struct text needle, size_t from);

static inline bool text_contains(struct text text, struct text needle) {
  return text_find(text, needle, 0) < text.len || needle.len == 0;
}

// The part from `from` (inclusive) to `to` (exclusive); both are cut to the length.
static inline struct text text_slice(struct text text, size_t from, size_t to) {
  to = to > text.len ? text.len : to;
  from = from > to ? to : from;
  return (struct text){text.data == NULL ? NULL : text.data + from, to - from};
}

// True if `text` matches `glob`, in which '*' stands for any run of bytes and all else for itself.
bool text_matches_glob(struct text text, struct text glob);

// Reads a decimal integer without sign, blanks or leading '+'; at most `max`.
// Returns false, and leaves *ret_value alone, on anything else.
bool text_to_unsigned(struct text text, unsigned long long max, unsigned long long *ret_value);

// Turns control characters into blanks: C0, DEL, and C1 (U+0080 to U+009F, of which U+009B steers
// terminals as ESC [ does). The API server drops a warning that has one.
void text_blank_controls(char *bytes, size_t len);

// True if text_blank_controls() would change something.
bool text_has_controls(struct text text);

// True if some item equals `text`.
bool text_list_contains(const struct text_list *list, struct text text);

// True if some item, read as a glob, matches `text`.
bool text_list_matches(const struct text_list *globs, struct text text);
