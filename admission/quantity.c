#include "admission/quantity.h"

#include <stdio.h>

// What a quantity's text says before it is computed: digits without the point, how many of them
// stand behind it, and the suffix as base and exponent.
struct spelled {
  bool negative;
  struct text whole;
  struct text fraction;
  int binary_exponent;         // 2^n, 0 for decimal
  long long decimal_exponent;  // 10^n, 0 for binary
};

static bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

static struct text take_digits(struct text *rest) {
  size_t n = 0;
  while (n < rest->len && is_digit(rest->data[n])) {
    n++;
  }
  struct text digits = text_slice(*rest, 0, n);
  *rest = text_slice(*rest, n, rest->len);
  return digits;
}

// Kubernetes computes exponents in an int32 that wraps (suffix.go: int32(parsed)): to it
// 1e4294967296 is 1. Its order is ours, so the same cut is made.
static long long cut_to_int32(long long number) {
  unsigned int low = (unsigned int)((unsigned long long)number & 0xffffffffU);
  return low > 0x7fffffffU ? (long long)low - 0x100000000LL : (long long)low;
}

// What does not fit an int64 is refused (suffix.go: ParseInt).
static bool read_exponent(struct text suffix, long long *ret_exponent) {
  struct text digits = text_slice(suffix, 1, suffix.len);
  bool negative = digits.len > 0 && digits.data[0] == '-';
  if (digits.len > 0 && (digits.data[0] == '-' || digits.data[0] == '+')) {
    digits = text_slice(digits, 1, digits.len);
  }
  unsigned long long magnitude = 0;
  unsigned long long max = 9223372036854775807ULL + (negative ? 1U : 0U);
  if (!text_to_unsigned(digits, max, &magnitude)) {
    return false;
  }
  *ret_exponent = cut_to_int32((long long)(negative ? 0ULL - magnitude : magnitude));
  return true;
}

static bool read_suffix(struct text suffix, struct spelled *spelled) {
  static const char decimal[] = "num kMGTPE";  // n is 10^-9, the blank stands for no suffix
  static const char binary[] = "KMGTPE";
  spelled->binary_exponent = 0;
  spelled->decimal_exponent = 0;
  if (suffix.len == 0) {
    return true;
  }
  char first = suffix.data[0];
  if (suffix.len == 1) {
    const char *hit = first == ' ' || first == '\0' ? NULL : strchr(decimal, first);
    if (hit != NULL) {
      spelled->decimal_exponent = ((hit - decimal) - 3) * 3;
    }
    return hit != NULL;
  }
  if (suffix.len == 2 && suffix.data[1] == 'i') {
    const char *hit = first == '\0' ? NULL : strchr(binary, first);
    if (hit != NULL) {
      spelled->binary_exponent = (int)((hit - binary) + 1) * 10;
    }
    return hit != NULL;
  }
  return (first == 'e' || first == 'E') && read_exponent(suffix, &spelled->decimal_exponent);
}

// Kubernetes reads a text without digits ("+", ".", "Ki", "e3") as 0, but only where its short way
// to compute is open: from 10^-9 upwards and up to Ti (quantity.go, ParseQuantity, `precision`).
// On the long way inf.Dec misses the digits, so ".e-10" and "Pi" are refused.
static bool has_digits_or_needs_none(const struct spelled *spelled) {
  return spelled->whole.len > 0 || spelled->fraction.len > 0 ||
         (spelled->decimal_exponent >= -9 && spelled->binary_exponent <= 40);
}

static bool spell(struct text text, struct spelled *spelled) {
  struct text rest = text;
  spelled->negative = rest.len > 0 && rest.data[0] == '-';
  if (rest.len > 0 && (rest.data[0] == '-' || rest.data[0] == '+')) {
    rest = text_slice(rest, 1, rest.len);
  }
  spelled->whole = take_digits(&rest);
  spelled->fraction = (struct text){NULL, 0};
  if (rest.len > 0 && rest.data[0] == '.') {
    rest = text_slice(rest, 1, rest.len);
    spelled->fraction = take_digits(&rest);
  }
  return text.len > 0 && read_suffix(rest, spelled) && has_digits_or_needs_none(spelled);
}

// The digit at a position of whole and fraction written one after the other.
static int digit_at(const struct spelled *spelled, size_t position) {
  size_t whole = spelled->whole.len;
  char c =
      position < whole ? spelled->whole.data[position] : spelled->fraction.data[position - whole];
  return c - '0';
}

// The digits as a number with `keep` digits, saturating; *ret_rest says whether a dropped digit is
// not zero. `keep` may go beyond the digits: zeros follow.
#define DIGITS_MAX ((((int128)1) << 120) / 10)

static int128 leading_digits(const struct spelled *spelled, long long keep, bool *ret_rest,
                             bool *ret_overflow) {
  size_t count = spelled->whole.len + spelled->fraction.len;
  int128 value = 0;
  *ret_rest = false;
  *ret_overflow = false;
  for (size_t i = 0; i < count; i++) {
    int digit = digit_at(spelled, i);
    if ((long long)i >= keep) {
      *ret_rest = *ret_rest || digit != 0;
    } else if (value >= DIGITS_MAX) {
      *ret_overflow = true;
    } else {
      value = value * 10 + digit;
    }
  }
  for (long long i = (long long)count; i < keep && value != 0; i++) {
    if (value >= DIGITS_MAX) {
      *ret_overflow = true;
      break;
    }
    value *= 10;
  }
  return value;
}

static struct quantity finish(int128 nano, bool overflow, bool negative) {
  int128 max = QUANTITY_MAX_UNITS * QUANTITY_NANO;
  nano = overflow || nano > max ? max : nano;
  return (struct quantity){negative ? -nano : nano};
}

// digits × 10^exponent, in nano. Kubernetes takes the digits as one integer and the length of the
// fraction off the exponent, where that int32 may wrap again: to it 0.1e-2147483648 is enormous.
static struct quantity compute_decimal(const struct spelled *spelled) {
  bool rest = false;
  bool overflow = false;
  long long exponent = cut_to_int32(spelled->decimal_exponent - (long long)spelled->fraction.len);
  long long count = (long long)(spelled->whole.len + spelled->fraction.len);
  int128 nano = leading_digits(spelled, count + exponent + 9, &rest, &overflow);
  return finish(nano + (rest ? 1 : 0), overflow, spelled->negative);
}

// 0.fraction × scale, rounded up. From the last digit to the first, so that every digit counts and
// nothing grows beyond 10 × scale, which is at most 2^60 × 10^9.
static int128 scale_fraction(struct text fraction, int128 scale) {
  int128 value = 0;
  bool rest = false;
  for (size_t i = fraction.len; i > 0; i--) {
    int128 tenths = (fraction.data[i - 1] - '0') * scale + value;
    rest = rest || tenths % 10 != 0;
    value = tenths / 10;
  }
  return value + (rest ? 1 : 0);
}

// whole.fraction × 2^exponent, in nano.
static struct quantity compute_binary(const struct spelled *spelled) {
  struct spelled whole = *spelled;
  whole.fraction = (struct text){NULL, 0};
  bool rest = false;
  bool overflow = false;
  int128 units = leading_digits(&whole, (long long)whole.whole.len, &rest, &overflow);
  if (overflow || units > QUANTITY_MAX_UNITS >> spelled->binary_exponent) {
    return finish(0, true, spelled->negative);
  }
  int128 scale = ((int128)1 << spelled->binary_exponent) * QUANTITY_NANO;
  int128 nano = units * scale + scale_fraction(spelled->fraction, scale);
  return finish(nano, false, spelled->negative);
}

// Nearly every quantity in real objects is a few digits and one of these suffixes. This way costs a
// seventh of the other. With nine digits nothing reaches the maximum.
#define SHORT_DIGITS_MAX 9

static bool parse_short(struct text text, struct quantity *ret_quantity) {
  static const struct {
    struct text suffix;
    int128 scale;  // in nano
  } suffixes[] = {{TEXT(""), QUANTITY_NANO},
                  {TEXT("m"), QUANTITY_NANO / 1000},
                  {TEXT("Gi"), QUANTITY_NANO << 30},
                  {TEXT("Mi"), QUANTITY_NANO << 20}};
  size_t digits = 0;
  int128 value = 0;
  while (digits < text.len && digits <= SHORT_DIGITS_MAX && is_digit(text.data[digits])) {
    value = value * 10 + (text.data[digits++] - '0');
  }
  if (digits == 0 || digits > SHORT_DIGITS_MAX) {
    return false;
  }
  struct text suffix = text_slice(text, digits, text.len);
  for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
    if (text_equals(suffix, suffixes[i].suffix)) {
      *ret_quantity = (struct quantity){value * suffixes[i].scale};
      return true;
    }
  }
  return false;
}

bool quantity_parse(struct text text, struct quantity *ret_quantity) {
  if (parse_short(text, ret_quantity)) {
    return true;
  }
  struct spelled spelled;
  if (!spell(text, &spelled)) {
    return false;
  }
  *ret_quantity =
      spelled.binary_exponent > 0 ? compute_binary(&spelled) : compute_decimal(&spelled);
  return true;
}

struct quantity quantity_of_units(long long units) {
  return (struct quantity){units * QUANTITY_NANO};
}

struct quantity quantity_add(struct quantity a, struct quantity b) {
  int128 sum = a.nano + b.nano;  // both are within 2^93, so this cannot overflow
  bool negative = sum < 0;
  return finish(negative ? -sum : sum, false, negative);
}

struct quantity quantity_times(struct quantity quantity, long long factor) {
  int128 max = QUANTITY_MAX_UNITS * QUANTITY_NANO;
  bool negative = (quantity.nano < 0) != (factor < 0);
  int128 a = quantity.nano < 0 ? -quantity.nano : quantity.nano;
  int128 b = factor < 0 ? -(int128)factor : factor;
  if (a == 0 || b == 0) {
    return (struct quantity){0};
  }
  return finish(a > max / b ? 0 : a * b, a > max / b, negative);
}

static void format_binary(unsigned long long units, const char *sign,
                          char text[QUANTITY_TEXT_MAX]) {
  static const char suffixes[] = "KMGTPE";
  int step = 0;
  while (step < 6 && units % 1024 == 0) {
    units /= 1024;
    step++;
  }
  snprintf(text, QUANTITY_TEXT_MAX, "%s%llu%ci", sign, units, suffixes[step - 1]);
}

void quantity_format(struct quantity quantity, char text[QUANTITY_TEXT_MAX]) {
  const char *sign = quantity.nano < 0 ? "-" : "";
  int128 nano = quantity.nano < 0 ? -quantity.nano : quantity.nano;
  unsigned long long units = (unsigned long long)(nano / QUANTITY_NANO);
  unsigned long long below = (unsigned long long)(nano % QUANTITY_NANO);
  if (below == 0 && units != 0 && units % (1024 * 1024) == 0) {
    format_binary(units, sign, text);
  } else if (below == 0) {
    snprintf(text, QUANTITY_TEXT_MAX, "%s%llu", sign, units);
  } else if (below % 1000000 == 0 && units < 1000000) {
    snprintf(text, QUANTITY_TEXT_MAX, "%s%llum", sign, units * 1000 + below / 1000000);
  } else {
    snprintf(text, QUANTITY_TEXT_MAX, "%s%llu.%09llu", sign, units, below);
  }
}
