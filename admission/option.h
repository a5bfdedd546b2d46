#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "admission/arena.h"
#include "admission/error.h"
#include "admission/text.h"

// One row says all about an option: key, type, default, where it is stored, range, help. Parsing,
// the printed defaults, the schema and the documentation come from the same rows.

enum option_type {
  OPTION_BOOL,      // bool
  OPTION_INT,       // int64_t, within [min, max]
  OPTION_DURATION,  // int64_t milliseconds, written as Go does: "90s", "1m30s"; within [min, max]
  OPTION_QUANTITY,  // struct quantity, within [min, max] whole units
  OPTION_ENUM,      // int, index into `names`
  OPTION_ENUM_SET,  // unsigned, one bit per index into `names`; a list in YAML
  OPTION_STRING,    // struct text
  OPTION_STRINGS,   // struct text_list; a list in YAML
};

struct option {
  const char *key;  // as in the configuration, camelCase
  enum option_type type;
  size_t offset;             // in the options struct
  const char *fallback;      // the default as text; lists separated by ", "
  const char *const *names;  // for ENUM and ENUM_SET, ends with NULL
  long long min;
  long long max;     // 0 with min 0: no range
  const char *help;  // one line
};

// Sets one scalar option, or appends one item to an ENUM_SET or STRINGS option.
// On bad text returns -1 with an error that says what was found and what was wanted.
// Memory for strings comes from `arena`.
int option_set(const struct option *option, void *options, struct text value, struct arena *arena,
               struct error *error);

// Empties a STRINGS or ENUM_SET option, so that a list in the file replaces the default.
void option_clear(const struct option *option, void *options);

// A new options struct of `size` bytes with every default in place; NULL when memory is short.
// A default that does not parse is a programming error and is reported in `error`.
void *options_defaults(const struct option *rows, size_t count, size_t size, struct arena *arena,
                       struct error *error);

// The index of `value` in the NULL-terminated `names`, -1 if it is not there.
int option_name_index(const char *const *names, struct text value);

// A Go duration ("1h2m3.5s", "250ms", "0") in milliseconds; false when it is none, is negative or
// exceeds 2^53 ms.
bool duration_parse(struct text text, int64_t *ret_milliseconds);

// The name nearest to `wanted` by edit distance, at most a third of its length away; NULL if none.
const char *nearest_name(struct text wanted, const char *const *names, size_t count);
