#pragma once

// The one header that a rule includes. To add a fix: write mutators/<name>.c that ends in
// `const struct mutator mutator_<name> = {…};`, tests/mutators/<name>.json with its cases, and a
// row in mutators/README.md. The build finds the file and generates the table; file name = rule
// name ('_' for '-') = symbol suffix.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "admission/config.h"
#include "admission/json.h"
#include "admission/option.h"
#include "admission/patch.h"
#include "admission/pod.h"
#include "admission/quantity.h"
#include "admission/text.h"
#include "admission/value.h"
#include "scripts.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

// A fix for pods. Mutators are independent: they touch disjoint places, so their order does not
// matter, and each does nothing on its own output.
struct mutator {
  const char *name;
  const char *summary;  // one line, shown by `rayfix rules`
  enum mutator_mode default_mode;
  const struct option *options;  // rows of the options struct; NULL if there is none
  size_t option_count;
  size_t options_size;

  // Does this pod concern the rule? Cheap, no side effect. The engine has already settled that
  // it is a Ray pod with containers, not terminating, not a mirror, not on Windows.
  bool (*applies)(const struct pod_view *pod, const void *options);

  // Writes the operations.
  void (*apply)(const struct pod_view *pod, const void *options, struct patch *patch);
};

// Generated from the folder mutators/, sorted by name.
extern const struct mutator *const mutators[];
extern const size_t mutator_count;
