#include "admission/option_text.h"

#include <stdio.h>

#include "admission/quantity.h"

void duration_format(int64_t milliseconds, char text[DURATION_TEXT_MAX]) {
  static const struct {
    int64_t milliseconds;
    const char *name;
  } units[] = {{3600000, "h"}, {60000, "m"}, {1000, "s"}, {1, "ms"}};
  int used = 0;
  for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
    int64_t n = milliseconds / units[i].milliseconds;
    milliseconds %= units[i].milliseconds;
    if (n > 0) {
      used += snprintf(text + used, DURATION_TEXT_MAX - (size_t)used, "%lld%s", (long long)n,
                       units[i].name);
    }
  }
  if (used == 0) {
    snprintf(text, DURATION_TEXT_MAX, "0s");
  }
}

bool option_has_range(const struct option *option) {
  return option->min != 0 || option->max != 0;
}

void option_range_text(const struct option *option, char range[OPTION_RANGE_TEXT_MAX]) {
  char low[QUANTITY_TEXT_MAX + DURATION_TEXT_MAX] = "";
  char high[QUANTITY_TEXT_MAX + DURATION_TEXT_MAX] = "";
  range[0] = '\0';
  if (!option_has_range(option)) {
    return;
  }
  if (option->type == OPTION_DURATION) {
    duration_format(option->min, low);
    duration_format(option->max, high);
  } else if (option->type == OPTION_QUANTITY) {
    quantity_format(quantity_of_units(option->min), low);
    quantity_format(quantity_of_units(option->max), high);
  } else {
    snprintf(low, sizeof low, "%lld", option->min);
    snprintf(high, sizeof high, "%lld", option->max);
  }
  snprintf(range, OPTION_RANGE_TEXT_MAX, "from %.70s to %.70s", low, high);
}

// YAML 1.1 and its readers take these words for booleans or null.
static bool is_special_word(struct text text) {
  static const char *const words[] = {"true", "false", "yes", "no",   "on",
                                      "off",  "y",     "n",   "null", NULL};
  for (size_t i = 0; words[i] != NULL; i++) {
    if (text_equals_ignoring_case(text, text_of(words[i]))) {
      return true;
    }
  }
  return false;
}

static bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

void option_print_text(struct text text, struct buffer *out) {
  bool is_plain =
      text.len > 0 && (is_letter(text.data[0]) || text.data[0] == '/') && !is_special_word(text);
  for (size_t i = 0; i < text.len && is_plain; i++) {
    char c = text.data[i];
    is_plain =
        is_letter(c) || (c >= '0' && c <= '9') || c == '/' || c == '.' || c == '-' || c == '_';
  }
  if (is_plain) {
    buffer_append_text(out, text);
  } else {
    buffer_append_json_string(out, text);
  }
}

static void print_separator(size_t *count, struct buffer *out) {
  if ((*count)++ > 0) {
    buffer_append_text(out, TEXT(", "));
  }
}

static void print_set(const struct option *option, unsigned bits, struct buffer *out) {
  size_t count = 0;
  buffer_append_text(out, TEXT("["));
  for (unsigned i = 0; option->names[i] != NULL; i++) {
    if ((bits >> i & 1U) != 0) {
      print_separator(&count, out);
      option_print_text(text_of(option->names[i]), out);
    }
  }
  buffer_append_text(out, TEXT("]"));
}

static void print_list(const struct text_list *list, struct buffer *out) {
  size_t count = 0;
  buffer_append_text(out, TEXT("["));
  for (size_t i = 0; i < list->count; i++) {
    print_separator(&count, out);
    option_print_text(list->items[i], out);
  }
  buffer_append_text(out, TEXT("]"));
}

void option_print(const struct option *option, const void *options, struct buffer *out) {
  const void *value = (const char *)options + option->offset;
  char text[DURATION_TEXT_MAX + QUANTITY_TEXT_MAX];
  switch (option->type) {
    case OPTION_BOOL:
      buffer_append_text(out, *(const bool *)value ? TEXT("true") : TEXT("false"));
      return;
    case OPTION_INT:
      buffer_printf(out, "%lld", (long long)*(const int64_t *)value);
      return;
    case OPTION_DURATION:
      duration_format(*(const int64_t *)value, text);
      buffer_append_text(out, text_of(text));
      return;
    case OPTION_QUANTITY:
      quantity_format(*(const struct quantity *)value, text);
      buffer_append_text(out, text_of(text));
      return;
    case OPTION_ENUM:
      option_print_text(text_of(option->names[*(const int *)value]), out);
      return;
    case OPTION_ENUM_SET:
      print_set(option, *(const unsigned *)value, out);
      return;
    case OPTION_STRING:
      option_print_text(*(const struct text *)value, out);
      return;
    case OPTION_STRINGS:
      print_list(value, out);
      return;
    default:
      return;
  }
}
