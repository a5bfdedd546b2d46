#include "admission/buffer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define BUFFER_FIRST_CAPACITY 512

bool buffer_reserve(struct buffer *buffer, size_t more) {
  if (buffer->failed || more > buffer->max || buffer->len > buffer->max - more) {
    buffer->failed = true;
    return false;
  }
  size_t needed = buffer->len + more;
  if (needed <= buffer->capacity) {
    return true;
  }
  size_t capacity = buffer->capacity == 0 ? BUFFER_FIRST_CAPACITY : buffer->capacity;
  while (capacity < needed) {
    capacity = capacity > buffer->max / 2 ? buffer->max : capacity * 2;
  }
  char *grown = realloc(buffer->data, capacity);
  if (grown == NULL) {
    buffer->failed = true;
    return false;
  }
  buffer->data = grown;
  buffer->capacity = capacity;
  return true;
}

bool buffer_append(struct buffer *buffer, const void *bytes, size_t len) {
  if (!buffer_reserve(buffer, len)) {
    return false;
  }
  if (len > 0) {
    memcpy(buffer->data + buffer->len, bytes, len);
  }
  buffer->len += len;
  return true;
}

bool buffer_append_text(struct buffer *buffer, struct text text) {
  return buffer_append(buffer, text.data, text.len);
}

bool buffer_printf(struct buffer *buffer, const char *format, ...) {
  va_list args;
  va_start(args, format);
  va_list again;
  va_copy(again, args);
  int len = vsnprintf(NULL, 0, format, args);
  bool fits = len >= 0 && buffer_reserve(buffer, (size_t)len + 1);
  if (fits) {
    vsnprintf(buffer->data + buffer->len, (size_t)len + 1, format, again);
    buffer->len += (size_t)len;
  }
  va_end(again);
  va_end(args);
  return fits;
}

bool buffer_append_json_string(struct buffer *buffer, struct text text) {
  buffer_append(buffer, "\"", 1);
  size_t start = 0;
  for (size_t i = 0; i < text.len; i++) {
    unsigned char c = (unsigned char)text.data[i];
    if (c >= 0x20 && c != '"' && c != '\\') {
      continue;
    }
    buffer_append(buffer, text.data + start, i - start);
    start = i + 1;
    if (c == '"' || c == '\\') {
      buffer_append(buffer, (char[]){'\\', (char)c}, 2);
    } else {
      buffer_printf(buffer, "\\u%04x", c);
    }
  }
  buffer_append(buffer, text.data + start, text.len - start);
  return buffer_append(buffer, "\"", 1);
}

void buffer_free(struct buffer *buffer) {
  if (buffer == NULL) {
    return;
  }
  free(buffer->data);
  buffer->data = NULL;
  buffer->len = 0;
  buffer->capacity = 0;
  buffer->failed = false;
}
