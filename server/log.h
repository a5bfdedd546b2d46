#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "admission/text.h"
#include "server/settings.h"

// Lines on stderr, one write() each, so that lines of threads do not mix. JSON, or text for people.
// Levels are enum log_level as int. Values are cut, never whole objects; a field that does not fit
// in the line is left out.

// The longest value of one field, in bytes before escaping.
#define LOG_VALUE_MAX ((size_t)1024)

// The longest line, newline included.
#define LOG_LINE_MAX ((size_t)12288)

enum log_field_type { LOG_FIELD_TEXT, LOG_FIELD_NUMBER, LOG_FIELD_BOOL };

struct log_field {
  const char *key;  // camelCase; never needs escaping
  enum log_field_type type;
  struct text text;
  int64_t number;
};

static inline struct log_field log_text(const char *key, struct text text) {
  return (struct log_field){key, LOG_FIELD_TEXT, text, 0};
}

static inline struct log_field log_number(const char *key, int64_t number) {
  return (struct log_field){key, LOG_FIELD_NUMBER, {NULL, 0}, number};
}

static inline struct log_field log_bool(const char *key, bool truth) {
  return (struct log_field){key, LOG_FIELD_BOOL, {NULL, 0}, truth};
}

// Takes effect at once, in every thread. Until then: JSON, level info, decisions info.
void log_configure(const struct log_settings *settings);

bool log_is_on(int level);

// The level of the lines of decisions, see log_settings.
int log_decision_level(void);

// Writes a line with the time, the level, `message` and the fields.
void log_fields(int level, const char *message, const struct log_field *fields, size_t count);

// A line with a formatted message and no fields.
__attribute__((format(printf, 2, 3))) void log_message(int level, const char *format, ...);

// The line as it would be written, without a newline, into `line` of `size` bytes; returns its
// length. For log_fields() and its tests.
size_t log_format_line(char *line, size_t size, int format, int level, struct text message,
                       const struct log_field *fields, size_t count);
