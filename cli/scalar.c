#include "cli/scalar.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

// Plain scalars above this length are strings: no number that a manifest means is that long.
#define NUMBER_TEXT_MAX 512

struct word {
  struct text text;
  enum scalar_kind kind;
  const char *json;
};

#define WORD(literal, kind, json) \
  { {(literal), sizeof(literal) - 1}, (kind), (json) }

// go-yaml v2 resolve.go, resolveMapList.
static const struct word words[] = {
    WORD("", SCALAR_NULL, "null"),       WORD("~", SCALAR_NULL, "null"),
    WORD("null", SCALAR_NULL, "null"),   WORD("Null", SCALAR_NULL, "null"),
    WORD("NULL", SCALAR_NULL, "null"),   WORD("y", SCALAR_BOOL, "true"),
    WORD("Y", SCALAR_BOOL, "true"),      WORD("yes", SCALAR_BOOL, "true"),
    WORD("Yes", SCALAR_BOOL, "true"),    WORD("YES", SCALAR_BOOL, "true"),
    WORD("true", SCALAR_BOOL, "true"),   WORD("True", SCALAR_BOOL, "true"),
    WORD("TRUE", SCALAR_BOOL, "true"),   WORD("on", SCALAR_BOOL, "true"),
    WORD("On", SCALAR_BOOL, "true"),     WORD("ON", SCALAR_BOOL, "true"),
    WORD("n", SCALAR_BOOL, "false"),     WORD("N", SCALAR_BOOL, "false"),
    WORD("no", SCALAR_BOOL, "false"),    WORD("No", SCALAR_BOOL, "false"),
    WORD("NO", SCALAR_BOOL, "false"),    WORD("false", SCALAR_BOOL, "false"),
    WORD("False", SCALAR_BOOL, "false"), WORD("FALSE", SCALAR_BOOL, "false"),
    WORD("off", SCALAR_BOOL, "false"),   WORD("Off", SCALAR_BOOL, "false"),
    WORD("OFF", SCALAR_BOOL, "false"),   WORD(".nan", SCALAR_NOT_JSON, ""),
    WORD(".NaN", SCALAR_NOT_JSON, ""),   WORD(".NAN", SCALAR_NOT_JSON, ""),
    WORD(".inf", SCALAR_NOT_JSON, ""),   WORD(".Inf", SCALAR_NOT_JSON, ""),
    WORD(".INF", SCALAR_NOT_JSON, ""),   WORD("+.inf", SCALAR_NOT_JSON, ""),
    WORD("+.Inf", SCALAR_NOT_JSON, ""),  WORD("+.INF", SCALAR_NOT_JSON, ""),
    WORD("-.inf", SCALAR_NOT_JSON, ""),  WORD("-.Inf", SCALAR_NOT_JSON, ""),
    WORD("-.INF", SCALAR_NOT_JSON, ""),
};

static void set_json(struct scalar *scalar, enum scalar_kind kind, const char *json) {
  scalar->kind = kind;
  int len = snprintf(scalar->json, sizeof scalar->json, "%s", json);
  scalar->len = len < 0 ? 0 : (size_t)len;
}

static int digit_value(char c) {
  if (c >= '0' && c <= '9') {
    return c - '0';
  }
  char lower = (char)(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : 99;
}

// The base that a prefix announces, as Go's strconv.ParseInt with base 0: 0b, 0o, 0x, 0.
static unsigned number_base(const char **digits) {
  const char *text = *digits;
  if (text[0] != '0') {
    return 10;
  }
  *digits = text + 1;
  if (text[1] == '\0' || text[2] == '\0') {
    return 8;
  }
  *digits = text + 2;
  switch (text[1] | 0x20) {
    case 'b':
      return 2;
    case 'o':
      return 8;
    case 'x':
      return 16;
    default:
      *digits = text + 1;
      return 8;
  }
}

// strconv.ParseInt(text, 0, 64), and where that fails strconv.ParseUint, which takes no sign.
static bool resolve_int(const char *text, struct scalar *scalar) {
  bool negative = text[0] == '-';
  bool with_sign = negative || text[0] == '+';
  const char *digits = with_sign ? text + 1 : text;
  if (*digits == '\0') {
    return false;
  }
  unsigned base = number_base(&digits);
  uint64_t magnitude = 0;
  for (; *digits != '\0'; digits++) {
    unsigned digit = (unsigned)digit_value(*digits);
    if (digit >= base || __builtin_mul_overflow(magnitude, (uint64_t)base, &magnitude) ||
        __builtin_add_overflow(magnitude, (uint64_t)digit, &magnitude)) {
      return false;
    }
  }
  uint64_t max = negative ? (uint64_t)INT64_MAX + 1 : with_sign ? (uint64_t)INT64_MAX : UINT64_MAX;
  if (magnitude > max) {
    return false;
  }
  char json[SCALAR_JSON_MAX];
  snprintf(json, sizeof json, "%s%llu", negative && magnitude != 0 ? "-" : "",
           (unsigned long long)magnitude);
  set_json(scalar, SCALAR_INT, json);
  return true;
}

static const char *skip_digits(const char *text) {
  while (*text >= '0' && *text <= '9') {
    text++;
  }
  return text;
}

// go-yaml's yamlStyleFloat: [-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?
static bool looks_like_float(const char *text) {
  if (*text == '-' || *text == '+') {
    text++;
  }
  const char *after = skip_digits(text);
  bool whole = after > text;
  if (*after == '.') {
    const char *fraction = skip_digits(after + 1);
    if (!whole && fraction == after + 1) {
      return false;
    }
    after = fraction;
  } else if (!whole) {
    return false;
  }
  if (*after == 'e' || *after == 'E') {
    after++;
    if (*after == '-' || *after == '+') {
      after++;
    }
    const char *exponent = skip_digits(after);
    if (exponent == after) {
      return false;
    }
    after = exponent;
  }
  return *after == '\0';
}

// How a number is laid out: without an exponent while low <= exponent < high.
struct float_style {
  bool single;  // the shortest text that gives the same float, not the same double
  int low;
  int high;
  int exponent_digits;  // at least; Go's JSON shortens e-07 to e-7
};

// encoding/json floatEncoder; and sigs.k8s.io/yaml, FormatFloat(key, 'g', -1, 32).
static const struct float_style value_style = {false, -6, 21, 1};
static const struct float_style key_style = {true, -4, 6, 2};

static bool same_number(const char *text, double number, bool single) {
  return single ? strtof(text, NULL) >= (float)number && strtof(text, NULL) <= (float)number
                : strtod(text, NULL) >= number && strtod(text, NULL) <= number;
}

// Writes `digits` (without point) times 10^(exponent - count + 1) in plain or scientific form.
static void lay_out(const char *digits, int exponent, const struct float_style *style,
                    char out[SCALAR_JSON_MAX]) {
  int count = (int)strlen(digits);
  if (exponent < style->low || exponent >= style->high) {
    snprintf(out, SCALAR_JSON_MAX, "%c%s%.20se%c%0*d", digits[0], count > 1 ? "." : "", digits + 1,
             exponent < 0 ? '-' : '+', style->exponent_digits, abs(exponent));
  } else if (exponent < 0) {
    snprintf(out, SCALAR_JSON_MAX, "0.%.*s%.20s", -exponent - 1, "00000000", digits);
  } else if (exponent + 1 >= count) {
    snprintf(out, SCALAR_JSON_MAX, "%.20s%.*s", digits, exponent + 1 - count,
             "0000000000000000000000");
  } else {
    snprintf(out, SCALAR_JSON_MAX, "%.*s.%.20s", exponent + 1, digits, digits + exponent + 1);
  }
}

static void format_float(double number, const struct float_style *style,
                         char out[SCALAR_JSON_MAX]) {
  char text[SCALAR_JSON_MAX] = "";
  double magnitude = fabs(number);
  for (int precision = 0; precision < 17; precision++) {
    snprintf(text, sizeof text, "%.*e", precision, magnitude);
    if (same_number(text, magnitude, style->single)) {
      break;
    }
  }
  char digits[SCALAR_JSON_MAX] = "";
  size_t count = 0;
  const char *at = text;
  for (; *at != '\0' && *at != 'e'; at++) {
    if (*at != '.') {
      digits[count++] = *at;
    }
  }
  int exponent = *at == 'e' ? (int)strtol(at + 1, NULL, 10) : 0;
  bool negative = signbit(number) != 0;
  char plain[SCALAR_JSON_MAX];
  lay_out(digits, exponent, style, plain);
  snprintf(out, SCALAR_JSON_MAX, "%s%.30s", negative ? "-" : "", plain);
}

static bool resolve_float(const char *text, const struct float_style *style,
                          struct scalar *scalar) {
  if (!looks_like_float(text)) {
    return false;
  }
  double number = strtod(text, NULL);
  if (!isfinite(number)) {
    return false;  // strconv.ParseFloat: out of range is an error, so the text stays a string
  }
  char json[SCALAR_JSON_MAX];
  format_float(number, style, json);
  set_json(scalar, SCALAR_FLOAT, json);
  return true;
}

static bool starts_like_number(struct text plain) {
  char c = plain.len == 0 ? 'x' : plain.data[0];
  return (c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.';
}

static struct scalar resolve(struct text plain, const struct float_style *style) {
  struct scalar scalar = {.kind = SCALAR_STRING};
  for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
    if (text_equals(plain, words[i].text)) {
      set_json(&scalar, words[i].kind, words[i].json);
      return scalar;
    }
  }
  if (!starts_like_number(plain) || plain.len >= NUMBER_TEXT_MAX ||
      memchr(plain.data, '\0', plain.len) != NULL) {
    return scalar;
  }
  char text[NUMBER_TEXT_MAX];
  size_t len = 0;
  for (size_t i = 0; i < plain.len; i++) {
    if (plain.data[i] != '_' || plain.data[0] == '.') {
      text[len++] = plain.data[i];
    }
  }
  text[len] = '\0';
  if (!resolve_int(text, &scalar)) {
    resolve_float(text, style, &scalar);
  }
  return scalar;
}

struct scalar scalar_resolve(struct text plain) {
  return resolve(plain, &value_style);
}

struct scalar scalar_resolve_key(struct text plain) {
  return resolve(plain, &key_style);
}

bool scalar_needs_quotes(struct text string) {
  if (scalar_resolve(string).kind != SCALAR_STRING || text_equals(string, TEXT("<<")) ||
      text_equals(string, TEXT("="))) {
    return true;
  }
  if (!starts_like_number(string)) {
    return false;
  }
  // Strings to Kubernetes, but base-60 numbers and dates to a YAML 1.1 reader.
  bool clock = memchr(string.data, ':', string.len) != NULL;
  bool date = string.len > 4 && string.data[4] == '-';
  return clock || date || string.len >= NUMBER_TEXT_MAX;
}
