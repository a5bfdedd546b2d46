#include "admission/option.h"

#include <stdio.h>
#include <string.h>

#include "admission/option_text.h"
#include "admission/quantity.h"
#include "admission/quote.h"

// Room for the names of an enumeration in a message.
#define WANTED_MAX 512

// 2^53: what every reader of JSON can hold exactly.
#define DURATION_MAX_MILLISECONDS (1LL << 53)
#define NANOSECONDS_PER_MILLISECOND 1000000

int option_name_index(const char *const *names, struct text value) {
  for (int i = 0; names[i] != NULL; i++) {
    if (text_equals(text_of(names[i]), value)) {
      return i;
    }
  }
  return -1;
}

// time.ParseDuration of Go reads these units; the micro sign and the letter mu are both legal.
static const struct {
  struct text name;
  long long nanoseconds;
} duration_units[] = {
    {TEXT("ns"), 1},
    {TEXT("us"), 1000},
    {TEXT("\xc2\xb5s"), 1000},
    {TEXT("\xce\xbcs"), 1000},
    {TEXT("ms"), NANOSECONDS_PER_MILLISECOND},
    {TEXT("s"), 1000LL * NANOSECONDS_PER_MILLISECOND},
    {TEXT("m"), 60000LL * NANOSECONDS_PER_MILLISECOND},
    {TEXT("h"), 3600000LL * NANOSECONDS_PER_MILLISECOND},
};

static struct text take_while(struct text *rest, bool digits) {
  size_t n = 0;
  while (n < rest->len) {
    char c = rest->data[n];
    bool is_digit = c >= '0' && c <= '9';
    if (digits ? !is_digit : is_digit || c == '.') {
      break;
    }
    n++;
  }
  struct text taken = text_slice(*rest, 0, n);
  *rest = text_slice(*rest, n, rest->len);
  return taken;
}

static long long unit_nanoseconds(struct text name) {
  for (size_t i = 0; i < sizeof duration_units / sizeof duration_units[0]; i++) {
    if (text_equals(duration_units[i].name, name)) {
      return duration_units[i].nanoseconds;
    }
  }
  return 0;
}

// One "digits[.digits]unit" off the front of *rest, added to *sum nanoseconds.
static bool add_duration_part(struct text *rest, int128 *sum) {
  struct text whole = take_while(rest, true);
  struct text fraction = {NULL, 0};
  if (rest->len > 0 && rest->data[0] == '.') {
    *rest = text_slice(*rest, 1, rest->len);
    fraction = take_while(rest, true);
  }
  long long unit = unit_nanoseconds(take_while(rest, false));
  unsigned long long units = 0;
  bool has_digits = whole.len > 0 || fraction.len > 0;
  if (unit == 0 || !has_digits ||
      (whole.len > 0 && !text_to_unsigned(whole, DURATION_MAX_MILLISECONDS * 1000ULL, &units))) {
    return false;
  }
  *sum += (int128)units * unit;
  int128 scale = unit;  // what is below a nanosecond is dropped
  for (size_t i = 0; i < fraction.len && scale > 0; i++) {
    *sum += (fraction.data[i] - '0') * scale / 10;
    scale /= 10;
  }
  return *sum <= (int128)DURATION_MAX_MILLISECONDS * NANOSECONDS_PER_MILLISECOND;
}

bool duration_parse(struct text text, int64_t *ret_milliseconds) {
  if (text_equals(text, TEXT("0"))) {  // the only number that needs no unit
    *ret_milliseconds = 0;
    return true;
  }
  struct text rest = text.len > 0 && text.data[0] == '+' ? text_slice(text, 1, text.len) : text;
  if (rest.len == 0) {
    return false;
  }
  int128 sum = 0;
  while (rest.len > 0) {
    if (!add_duration_part(&rest, &sum)) {
      return false;
    }
  }
  // Rounded up, so that no duration above 0 becomes 0, which may mean something else.
  int128 rounded = (sum + NANOSECONDS_PER_MILLISECOND - 1) / NANOSECONDS_PER_MILLISECOND;
  *ret_milliseconds = (int64_t)rounded;
  return true;
}

static int refuse(const struct option *option, struct text value, const char *wanted,
                  struct error *error) {
  char quoted[QUOTE_MAX];
  char range[OPTION_RANGE_TEXT_MAX];
  option_range_text(option, range);
  const char *space = range[0] == '\0' ? "" : " ";
  return error_set(error, "found %s, wanted %s%s%s", quote_text(value, quoted), wanted, space,
                   range);
}

static bool in_range(const struct option *option, long long value) {
  return !option_has_range(option) || (value >= option->min && value <= option->max);
}

// Decimal only: "010" is eight to one reader of YAML and ten to another, so it is refused.
static bool parse_int(struct text value, int64_t *ret_number) {
  bool negative = value.len > 0 && value.data[0] == '-';
  struct text digits = text_slice(value, negative ? 1 : 0, value.len);
  unsigned long long magnitude = 0;
  if ((digits.len > 1 && digits.data[0] == '0') ||
      !text_to_unsigned(digits, INT64_MAX, &magnitude)) {
    return false;
  }
  *ret_number = negative ? -(int64_t)magnitude : (int64_t)magnitude;
  return true;
}

static int set_int(const struct option *option, int64_t *target, struct text value,
                   struct error *error) {
  int64_t number = 0;
  if (!parse_int(value, &number) || !in_range(option, number)) {
    return refuse(option, value, "a whole decimal number", error);
  }
  *target = number;
  return 0;
}

static int set_duration(const struct option *option, int64_t *target, struct text value,
                        struct error *error) {
  int64_t milliseconds = 0;
  if (!duration_parse(value, &milliseconds) || !in_range(option, milliseconds)) {
    return refuse(option, value, "a duration with its unit (\"90s\", \"1m30s\")", error);
  }
  *target = milliseconds;
  return 0;
}

static int set_quantity(const struct option *option, struct quantity *target, struct text value,
                        struct error *error) {
  struct quantity quantity = {0};
  bool good = quantity_parse(value, &quantity);
  if (good && option_has_range(option)) {
    good = quantity.nano >= quantity_of_units(option->min).nano &&
           quantity.nano <= quantity_of_units(option->max).nano;
  }
  if (!good) {
    return refuse(option, value, "a Kubernetes quantity (\"512Mi\", \"2G\")", error);
  }
  *target = quantity;
  return 0;
}

// The index of the name, or -1 with all names and the nearest one in `error`.
static int find_name(const struct option *option, struct text value, struct error *error) {
  int index = option_name_index(option->names, value);
  if (index >= 0) {
    return index;
  }
  char names[WANTED_MAX] = "";
  size_t used = 0;
  size_t count = 0;
  for (; option->names[count] != NULL && used < sizeof names; count++) {
    const char *separator = count == 0 ? "" : option->names[count + 1] == NULL ? " or " : ", ";
    int len = snprintf(names + used, sizeof names - used, "%s%s", separator, option->names[count]);
    used += len < 0 ? 0 : (size_t)len;
  }
  char quoted[QUOTE_MAX];
  error_set(error, "found %s, wanted %s", quote_text(value, quoted), names);
  const char *nearest = nearest_name(value, option->names, count);
  if (nearest != NULL) {
    struct error without = *error;
    error_set(error, "%.900s; did you mean \"%s\"?", without.text, nearest);
  }
  return -1;
}

// NUL is refused: most strings become paths or names that end at the first NUL.
static int copy_string(struct text *target, struct text value, struct arena *arena,
                       struct error *error) {
  char quoted[QUOTE_MAX];
  if (value.len > 0 && memchr(value.data, '\0', value.len) != NULL) {
    return error_set(error, "found a NUL in %s, wanted text without", quote_text(value, quoted));
  }
  struct text copy = arena_copy(arena, value);
  if (copy.data == NULL) {
    return error_set(error, "out of memory");
  }
  *target = copy;
  return 0;
}

// The items stand in an array whose size is the power of two at or above the count, so that
// appending costs no more than twice the memory. The array belongs to this list alone.
static int append_string(struct text_list *list, struct text value, struct arena *arena,
                         struct error *error) {
  struct text copy;
  if (copy_string(&copy, value, arena, error) != 0) {
    return -1;
  }
  struct text *items = NULL;
  bool is_full = (list->count & (list->count - 1)) == 0;  // 0, 1, 2, 4, 8…
  if (is_full) {
    items = arena_calloc(arena, list->count == 0 ? 1 : list->count * 2, sizeof *items);
    if (items == NULL) {
      return error_set(error, "out of memory");
    }
    if (list->count > 0) {
      memcpy(items, list->items, list->count * sizeof *items);
    }
    list->items = items;
  }
  memcpy((char *)(uintptr_t)list->items + list->count * sizeof copy, &copy, sizeof copy);
  list->count++;
  return 0;
}

int option_set(const struct option *option, void *options, struct text value, struct arena *arena,
               struct error *error) {
  void *target = (char *)options + option->offset;
  switch (option->type) {
    case OPTION_BOOL: {
      bool truth = text_equals(value, TEXT("true"));
      if (!truth && !text_equals(value, TEXT("false"))) {
        return refuse(option, value, "true or false", error);
      }
      *(bool *)target = truth;
      return 0;
    }
    case OPTION_INT:
      return set_int(option, target, value, error);
    case OPTION_DURATION:
      return set_duration(option, target, value, error);
    case OPTION_QUANTITY:
      return set_quantity(option, target, value, error);
    case OPTION_ENUM:
    case OPTION_ENUM_SET: {
      int index = find_name(option, value, error);
      if (index < 0) {
        return -1;
      }
      if (option->type == OPTION_ENUM) {
        *(int *)target = index;
      } else {
        *(unsigned *)target |= 1U << (unsigned)index;
      }
      return 0;
    }
    case OPTION_STRING:
      return copy_string(target, value, arena, error);
    case OPTION_STRINGS:
      return append_string(target, value, arena, error);
    default:
      return error_set(error, "option %s has an unknown type", option->key);
  }
}

void option_clear(const struct option *option, void *options) {
  void *target = (char *)options + option->offset;
  if (option->type == OPTION_STRINGS) {
    *(struct text_list *)target = (struct text_list){NULL, 0};
  } else if (option->type == OPTION_ENUM_SET) {
    *(unsigned *)target = 0;
  }
}

// Puts the default of one option in place.
static int set_fallback(const struct option *row, void *options, struct arena *arena,
                        struct error *error) {
  struct text fallback = text_of(row->fallback == NULL ? "" : row->fallback);
  bool is_list = row->type == OPTION_STRINGS || row->type == OPTION_ENUM_SET;
  if (!is_list) {
    return option_set(row, options, fallback, arena, error);
  }
  size_t start = 0;
  while (start < fallback.len) {
    size_t end = text_find(fallback, TEXT(", "), start);
    if (option_set(row, options, text_slice(fallback, start, end), arena, error) != 0) {
      return -1;
    }
    start = end + 2;
  }
  return 0;
}

void *options_defaults(const struct option *rows, size_t count, size_t size, struct arena *arena,
                       struct error *error) {
  void *options = arena_calloc(arena, 1, size);
  if (options == NULL) {
    error_set(error, "out of memory");
    return NULL;
  }
  for (size_t i = 0; i < count; i++) {
    if (set_fallback(&rows[i], options, arena, error) != 0) {
      error_wrap(error, "default of option %s", rows[i].key);
      return NULL;
    }
  }
  return options;
}
