#include "server/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static atomic_int current_format = LOG_JSON;
static atomic_int current_level = LOG_LEVEL_INFO;
static atomic_int current_decisions = LOG_LEVEL_INFO;

static const char *const level_names[] = {"error", "warn", "info", "debug"};

void log_configure(const struct log_settings *settings) {
  atomic_store_explicit(&current_format, settings->format, memory_order_relaxed);
  atomic_store_explicit(&current_level, settings->level, memory_order_relaxed);
  atomic_store_explicit(&current_decisions, settings->decisions, memory_order_relaxed);
}

bool log_is_on(int level) {
  return level <= atomic_load_explicit(&current_level, memory_order_relaxed);
}

int log_decision_level(void) {
  return atomic_load_explicit(&current_decisions, memory_order_relaxed);
}

// A line under construction. `overflow` is set by the first append that does not fit.
struct line {
  char *data;
  size_t len;
  size_t size;
  bool overflow;
};

static void append(struct line *line, const char *bytes, size_t len) {
  if (line->overflow || len > line->size - line->len) {
    line->overflow = true;
    return;
  }
  memcpy(line->data + line->len, bytes, len);
  line->len += len;
}

static void append_string(struct line *line, const char *string) {
  append(line, string, strlen(string));
}

// Length of the well-formed UTF-8 sequence at `at` (RFC 3629 §4), 0 if there is none.
static size_t utf8_length(struct text text, size_t at) {
  const unsigned char *p = (const unsigned char *)text.data + at;
  size_t left = text.len - at;
  if (p[0] < 0x80) {
    return 1;
  }
  size_t len = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
  if (p[0] < 0xc2 || p[0] > 0xf4 || left < len) {
    return 0;
  }
  unsigned char low = p[0] == 0xe0 ? 0xa0 : p[0] == 0xf0 ? 0x90 : 0x80;
  unsigned char high = p[0] == 0xed ? 0x9f : p[0] == 0xf4 ? 0x8f : 0xbf;
  if (p[1] < low || p[1] > high) {
    return 0;
  }
  for (size_t i = 2; i < len; i++) {
    if ((p[i] & 0xc0) != 0x80) {
      return 0;
    }
  }
  return len;
}

static void append_escaped(struct line *line, const char *character, size_t len) {
  unsigned char c = (unsigned char)character[0];
  char escaped[8];
  if (len == 0) {
    append_string(line, "\\ufffd");
  } else if (c == '"' || c == '\\') {
    append(line, (char[]){'\\', (char)c}, 2);
  } else if (c < 0x20 || c == 0x7f) {
    // Also keeps terminal escape sequences of hostile names out of an operator's screen.
    int n = snprintf(escaped, sizeof escaped, "\\u%04x", c);
    append(line, escaped, (size_t)n);
  } else {
    append(line, character, len);
  }
}

// Length of the run of characters from `at` on that stand for themselves, at most to `end`.
static size_t plain_length(struct text text, size_t at, size_t end) {
  size_t start = at;
  while (at < end && text.data[at] >= 0x20 && text.data[at] < 0x7f && text.data[at] != '"' &&
         text.data[at] != '\\') {
    at++;
  }
  return at - start;
}

// A JSON string; the text format quotes the same way.
static void append_quoted(struct line *line, struct text text) {
  append_string(line, "\"");
  size_t at = 0;
  size_t end = text.len < LOG_VALUE_MAX ? text.len : LOG_VALUE_MAX;
  while (at < end) {
    size_t plain = plain_length(text, at, end);
    append(line, text.data + at, plain);
    at += plain;
    if (at == end) {
      break;
    }
    size_t len = utf8_length(text, at);
    append_escaped(line, text.data + at, len);
    at += len == 0 ? 1 : len;
  }
  if (at < text.len) {
    append_string(line, "\u2026");
  }
  append_string(line, "\"");
}

static void append_value(struct line *line, const struct log_field *field) {
  char number[24];
  switch (field->type) {
    case LOG_FIELD_TEXT:
      append_quoted(line, field->text);
      return;
    case LOG_FIELD_NUMBER:
      snprintf(number, sizeof number, "%lld", (long long)field->number);
      append_string(line, number);
      return;
    case LOG_FIELD_BOOL:
      append_string(line, field->number != 0 ? "true" : "false");
      return;
  }
}

// All or nothing, so that the line stays valid.
static void append_field(struct line *line, int format, const struct log_field *field) {
  size_t start = line->len;
  append_string(line, format == LOG_JSON ? ",\"" : " ");
  append_string(line, field->key);
  append_string(line, format == LOG_JSON ? "\":" : "=");
  append_value(line, field);
  if (line->overflow) {
    line->len = start;
    line->overflow = false;
  }
}

// RFC 3339 in UTC with milliseconds.
static void append_time(struct line *line) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  struct tm utc;
  gmtime_r(&now.tv_sec, &utc);
  char text[40];
  size_t len = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &utc);
  append(line, text, len);
  snprintf(text, sizeof text, ".%03dZ", (int)(now.tv_nsec / 1000000));
  append_string(line, text);
}

size_t log_format_line(char *data, size_t size, int format, int level, struct text message,
                       const struct log_field *fields, size_t count) {
  struct line line = {data, 0, size - 1, false};  // one byte for the closing brace
  append_string(&line, format == LOG_JSON ? "{\"time\":\"" : "");
  append_time(&line);
  append_string(&line, format == LOG_JSON ? "\",\"level\":\"" : " ");
  append_string(&line, level_names[level]);
  if (format == LOG_JSON) {
    append_string(&line, "\",\"msg\":");
    append_quoted(&line, message);
  } else {
    append_string(&line, " ");
    append_quoted(&line, message);
  }
  for (size_t i = 0; i < count; i++) {
    append_field(&line, format, &fields[i]);
  }
  if (format == LOG_JSON) {
    line.data[line.len++] = '}';
  }
  return line.len;
}

static void write_line(int level, struct text message, const struct log_field *fields,
                       size_t count) {
  // Not on the stack: hardened builds clear the stack, and this is much to clear for each line.
  static _Thread_local char line[LOG_LINE_MAX];
  int format = atomic_load_explicit(&current_format, memory_order_relaxed);
  size_t len = log_format_line(line, sizeof line - 1, format, level, message, fields, count);
  line[len++] = '\n';
  // A log that cannot be written has nowhere to say so; a signal only delays it.
  while (write(STDERR_FILENO, line, len) < 0 && errno == EINTR) {
  }
}

void log_fields(int level, const char *message, const struct log_field *fields, size_t count) {
  if (log_is_on(level)) {
    write_line(level, text_of(message), fields, count);
  }
}

void log_message(int level, const char *format, ...) {
  if (!log_is_on(level)) {
    return;
  }
  char message[LOG_VALUE_MAX + 1];
  va_list args;
  va_start(args, format);
  int len = vsnprintf(message, sizeof message, format, args);
  va_end(args);
  if (len >= 0) {
    write_line(level, text_of(message), NULL, 0);
  }
}
