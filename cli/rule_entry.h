#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "admission/buffer.h"
#include "admission/rule.h"

// A rule of either kind as the verbs `rules` and `explain` show it.

struct rule_entry {
  bool is_validator;
  const char *id;  // "V01"; "" for a mutator
  const char *name;
  const char *summary;
  const char *why;          // "" for a mutator: mutators/README.md says it
  const char *source;       // the same
  unsigned subjects;        // enum subject_kind bits
  const char *setting_key;  // "mode" or "action"
  const char *setting;      // the default
  const char *pod_setting;  // the default of podAction; NULL for rules that look at no Pod
  const struct option *options;
  size_t option_count;
  size_t options_size;
};

// Mutators, then validators, each sorted by name.
size_t rule_entry_count(void);
struct rule_entry rule_entry_at(size_t index);

// "RayCluster, RayJob, …" of enum subject_kind bits.
void rule_put_subjects(struct buffer *out, unsigned subjects);

// "int", "quantity", …, as the JSON calls the types.
const char *rule_option_type(const struct option *option);

// The part of a configuration file with all settings of the rule at their defaults, help as
// comments. 0, or -1 when memory is short.
int rule_put_settings(struct buffer *out, const struct rule_entry *rule);

// One JSON object; `details` adds what `explain` shows.
void rule_put_json(struct buffer *out, const struct rule_entry *rule, bool details);

// The reference page of all rules, docs/rules.md.
void rules_put_markdown(struct buffer *out);
