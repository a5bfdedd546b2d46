#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "admission/text.h"

// A growable byte buffer with a maximum. It remembers its first failure (memory short or maximum
// reached): later appends do nothing and return false, so one check at the end is enough.
// `data` is malloc'ed and not NUL-terminated; a zeroed struct with `max` set is a valid buffer.
struct buffer {
  char *data;
  size_t len;
  size_t capacity;
  size_t max;
  bool failed;
};

// Makes room for `more` bytes beyond the length.
bool buffer_reserve(struct buffer *buffer, size_t more);

bool buffer_append(struct buffer *buffer, const void *bytes, size_t len);

bool buffer_append_text(struct buffer *buffer, struct text text);

__attribute__((format(printf, 2, 3))) bool buffer_printf(struct buffer *buffer, const char *format,
                                                         ...);

// Appends `text` as a JSON string with its quotes. Control characters are escaped; other bytes go
// through as they are, so the text must be UTF-8.
bool buffer_append_json_string(struct buffer *buffer, struct text text);

// Frees the bytes and empties the buffer; the maximum stays. NULL is fine.
void buffer_free(struct buffer *buffer);

#define buffer_auto __attribute__((cleanup(buffer_free))) struct buffer
