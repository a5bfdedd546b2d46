#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "admission/buffer.h"
#include "admission/config.h"
#include "admission/option.h"
#include "server/configuration.h"

// What reading, printing and the schema of the configuration file share. Only configuration*.c
// include this header.

#define CONFIGURATION_API_VERSION "rayfix.io/v1alpha1"
#define CONFIGURATION_KIND "Configuration"

// A configuration in a ConfigMap cannot be larger either.
#define CONFIGURATION_MAX_BYTES (size_t)(1024 * 1024)

// Overrides in one file; each holds a copy of every rule's settings.
#define NAMESPACE_OVERRIDES_MAX 1000

// One rule of whatever kind, as the configuration sees it.
struct rule_row {
  const char *name;
  const char *summary;
  const struct option *options;
  size_t option_count;
  size_t setting_count;  // how many rows of the table's `setting_rows` it has
};

// A kind of rules: a top-level key of the file that is also a key of a namespace override. Another
// kind is another entry in rule_tables[].
struct rule_table {
  const char *key;
  const char *help;
  const struct option *setting_rows;  // on struct rule_setting: `mode`; `action`, `podAction`
  size_t (*count)(void);
  struct rule_row (*row)(size_t index);
  struct rule_setting *(*settings)(const struct ruleset *rules);  // one for each row
};

extern const struct rule_table rule_tables[];
extern const size_t rule_table_count;

// What a text must look like beyond its type.
struct text_check {
  const char *section;  // "" for keys at the top
  const char *key;
  bool (*is_good)(struct text text);
  const char *wanted;
  const char *pattern;  // the same for the schema
};

// NULL when there is none.
const struct text_check *text_check_find(const char *section, const char *key);

// Prints a configuration as configuration_print_defaults() prints the defaults.
void configuration_print(const struct configuration *configuration, struct buffer *out);
