#include "admission/config.h"

#include <string.h>

#include "admission/config_options.h"
#include "admission/rule.h"

// Every string, list and options struct of one configuration. A file has at most 1 MiB; what it
// grows to is mostly the rule settings of its namespace overrides.
#define CONFIG_FIRST_CHUNK (size_t)(16 * 1024)
#define CONFIG_MAX_BYTES (size_t)(64 * 1024 * 1024)

const char *const mutator_mode_names[] = {"enforce", "audit", "off", NULL};
const char *const validator_action_names[] = {"deny", "warn", "audit", "off", NULL};
const char *const pod_policy_names[] = {"bare", "hard", "warn", "off", NULL};

const struct option admission_options[] = {
    {.key = "gpuResources",
     .type = OPTION_STRINGS,
     .fallback = "gpu.intel.com/i915, gpu.intel.com/xe, habana.ai/gaudi",
     .offset = offsetof(struct admission_config, gpu_resources),
     .help = "Resources counted as GPUs besides \"*gpu\" and NVIDIA MIG"},
    {.key = "podPolicy",
     .type = OPTION_ENUM,
     .names = pod_policy_names,
     .fallback = "bare",
     .offset = offsetof(struct admission_config, pod_policy),
     .help = "Which Pods a denying rule refuses: bare, those that no RayCluster owns; hard, all; "
             "warn, none; off, Pods are not looked at"},
    {.key = "allowOptOut",
     .type = OPTION_BOOL,
     .fallback = "true",
     .offset = offsetof(struct admission_config, allow_opt_out),
     .help = "Honour the annotations rayfix.io/skip and rayfix.io/<mutator>: \"false\""},
};
const size_t admission_option_count = COUNT_OF(admission_options);

const struct option exempt_options[] = {
    {.key = "namespaces",
     .type = OPTION_STRINGS,
     .fallback = "",
     .offset = offsetof(struct admission_config, exempt_namespaces),
     .help = "Names or globs of namespaces whose objects are allowed without a look"},
    {.key = "users",
     .type = OPTION_STRINGS,
     .fallback = "",
     .offset = offsetof(struct admission_config, exempt_users),
     .help = "Names or globs of users whose requests are allowed without a look"},
};
const size_t exempt_option_count = COUNT_OF(exempt_options);

// What both kinds of rules have, so that settings are made and copied by one function.
struct rule_shape {
  const char *name;
  const struct option *options;
  size_t option_count;
  size_t options_size;
  struct rule_setting defaults;
};

static struct rule_shape mutator_shape(size_t index) {
  const struct mutator *rule = mutators[index];
  return (struct rule_shape){rule->name,
                             rule->options,
                             rule->option_count,
                             rule->options_size,
                             {.mode = (int)rule->default_mode}};
}

static struct rule_shape validator_shape(size_t index) {
  const struct validator *rule = validators[index];
  return (struct rule_shape){
      rule->name,
      rule->options,
      rule->option_count,
      rule->options_size,
      {.action = (int)rule->default_action, .pod_action = (int)rule->default_pod_action}};
}

static struct rule_setting *default_settings(struct rule_shape (*shape_of)(size_t), size_t count,
                                             struct arena *arena, struct error *error) {
  struct rule_setting *settings = arena_calloc(arena, count + 1, sizeof *settings);
  if (settings == NULL) {
    error_set(error, "out of memory");
    return NULL;
  }
  for (size_t i = 0; i < count; i++) {
    struct rule_shape shape = shape_of(i);
    settings[i] = shape.defaults;
    settings[i].options =
        options_defaults(shape.options, shape.option_count, shape.options_size, arena, error);
    if (settings[i].options == NULL) {
      error_wrap(error, "rule %s", shape.name);
      return NULL;
    }
  }
  return settings;
}

static int set_rule_defaults(struct ruleset *rules, struct arena *arena, struct error *error) {
  rules->mutators = default_settings(mutator_shape, mutator_count, arena, error);
  rules->validators = default_settings(validator_shape, validator_count, arena, error);
  return rules->mutators == NULL || rules->validators == NULL ? -1 : 0;
}

struct admission_config *admission_config_new(struct error *error) {
  struct arena *arena = arena_new(CONFIG_FIRST_CHUNK, CONFIG_MAX_BYTES);
  if (arena == NULL) {
    error_set(error, "out of memory");
    return NULL;
  }
  // The rest of the struct is zero, which stands for "no override, nobody exempt".
  struct admission_config *config =
      options_defaults(admission_options, admission_option_count, sizeof *config, arena, error);
  if (config == NULL || set_rule_defaults(&config->rules, arena, error) != 0) {
    arena_free(arena);
    return NULL;
  }
  config->arena = arena;
  return config;
}

void admission_config_free(struct admission_config *config) {
  if (config != NULL) {
    arena_free(config->arena);  // the config itself is in there
  }
}

// A plain copy would share the arrays of lists, which option_set() appends to.
static int copy_lists(const struct option *rows, size_t count, const void *from, void *to,
                      struct arena *arena) {
  struct error error;
  for (size_t i = 0; i < count; i++) {
    if (rows[i].type != OPTION_STRINGS) {
      continue;
    }
    const struct text_list *list =
        (const struct text_list *)(const void *)((const char *)from + rows[i].offset);
    option_clear(&rows[i], to);
    for (size_t k = 0; k < list->count; k++) {
      if (option_set(&rows[i], to, list->items[k], arena, &error) != 0) {
        return -1;
      }
    }
  }
  return 0;
}

static struct rule_setting *copy_settings(struct rule_shape (*shape_of)(size_t), size_t count,
                                          const struct rule_setting *from, struct arena *arena) {
  struct rule_setting *copies = arena_calloc(arena, count + 1, sizeof *copies);
  if (copies == NULL) {
    return NULL;
  }
  for (size_t i = 0; i < count; i++) {
    struct rule_shape shape = shape_of(i);
    copies[i] = from[i];
    copies[i].options = arena_calloc(arena, 1, shape.options_size);
    if (copies[i].options == NULL) {
      return NULL;
    }
    if (shape.options_size > 0) {
      memcpy(copies[i].options, from[i].options, shape.options_size);
    }
    if (copy_lists(shape.options, shape.option_count, from[i].options, copies[i].options, arena) !=
        0) {
      return NULL;
    }
  }
  return copies;
}

int admission_config_copy_rules(struct admission_config *config, const struct ruleset *rules,
                                struct ruleset *ret_copy) {
  struct arena *arena = config->arena;
  ret_copy->mutators = copy_settings(mutator_shape, mutator_count, rules->mutators, arena);
  ret_copy->validators = copy_settings(validator_shape, validator_count, rules->validators, arena);
  return ret_copy->mutators == NULL || ret_copy->validators == NULL ? -1 : 0;
}

const struct ruleset *admission_config_rules(const struct admission_config *config,
                                             struct text namespace_name) {
  for (size_t i = config->override_count; i > 0; i--) {
    const struct namespace_override *override = &config->overrides[i - 1];
    if (text_matches_glob(namespace_name, override->match)) {
      return &override->rules;
    }
  }
  return &config->rules;
}
