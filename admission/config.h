#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "admission/arena.h"
#include "admission/error.h"
#include "admission/text.h"

// The part of the configuration that decides, as plain structs (design §5). server/ reads it from
// YAML; this header knows no file. It is immutable once built, so threads share it freely.

enum mutator_mode { MODE_ENFORCE, MODE_AUDIT, MODE_OFF };
extern const char *const mutator_mode_names[];  // "enforce", "audit", "off", NULL

enum validator_action { ACTION_DENY, ACTION_WARN, ACTION_AUDIT, ACTION_OFF };
extern const char *const validator_action_names[];  // "deny", "warn", "audit", "off", NULL

// What "deny" means for Pods (semantics §4.4): bare, the default, denies only pods that no
// RayCluster owns, hard denies both, warn neither, off looks at no pod.
enum pod_policy { POD_POLICY_BARE, POD_POLICY_HARD, POD_POLICY_WARN, POD_POLICY_OFF };
extern const char *const pod_policy_names[];

// The settings of one rule: its mode or action and its own options struct (defined in the rule's
// file).
struct rule_setting {
  int mode;        // of a mutator: enum mutator_mode
  int action;      // of a validator: enum validator_action
  int pod_action;  // of a validator, for Pods: enum validator_action
  void *options;
};

// One entry for each row of the generated tables `mutators` and `validators`, in their order.
struct ruleset {
  struct rule_setting *mutators;
  struct rule_setting *validators;
};

// Settings for the namespaces whose name matches a glob.
struct namespace_override {
  struct text match;
  struct ruleset rules;
};

struct admission_config {
  struct arena *arena;  // owns everything below, and the config itself
  struct ruleset rules;
  struct namespace_override *overrides;  // the last one that matches wins, alone
  size_t override_count;
  struct text_list exempt_namespaces;  // globs: answered "allowed", nothing is looked at
  struct text_list exempt_users;       // globs over userInfo.username
  struct text_list gpu_resources;      // counted as GPUs besides "*gpu" and MIG (semantics §4.2)
  int pod_policy;                      // enum pod_policy
  bool allow_opt_out;                  // honour rayfix.io/skip and rayfix.io/<mutator>: "false"
};

// A configuration with every default. Free with admission_config_free(). NULL with an error when
// memory is short.
struct admission_config *admission_config_new(struct error *error);

// NULL is fine.
void admission_config_free(struct admission_config *config);

// A copy of `rules` with options structs of its own, in the configuration's arena, for an override
// to change. Returns 0 or -1 when memory is short.
int admission_config_copy_rules(struct admission_config *config, const struct ruleset *rules,
                                struct ruleset *ret_copy);

// The rules for a namespace: the last override that matches, otherwise the base.
const struct ruleset *admission_config_rules(const struct admission_config *config,
                                             struct text namespace_name);
