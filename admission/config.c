#include "admission/config.h"

#include <string.h>

#include "admission/config_options.h"
#include "admission/rule.h"

// Every string, list and options struct of one configuration. A file has at most 1 MiB; what it
// grows to is mostly the rule settings of its namespace overrides.
#define CONFIG_FIRST_CHUNK (size_t)(16 * 1024)
#define CONFIG_MAX_BYTES (size_t)(64 * 1024 * 1024)

const char *const mutator_mode_names[] = {"enforce", "audit", "off", NULL};

const struct option admission_options[] = {
    {.key = "gpuResources",
     .type = OPTION_STRINGS,
     .fallback = "gpu.intel.com/i915, gpu.intel.com/xe, habana.ai/gaudi",
     .offset = offsetof(struct admission_config, gpu_resources),
     .help = "Resources counted as GPUs besides \"*gpu\" and NVIDIA MIG"},
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

static int set_rule_defaults(struct ruleset *rules, struct arena *arena, struct error *error) {
  rules->mutators = arena_calloc(arena, mutator_count, sizeof *rules->mutators);
  if (rules->mutators == NULL) {
    return error_set(error, "out of memory");
  }
  for (size_t i = 0; i < mutator_count; i++) {
    const struct mutator *mutator = mutators[i];
    rules->mutators[i].mode = (int)mutator->default_mode;
    rules->mutators[i].options = options_defaults(mutator->options, mutator->option_count,
                                                  mutator->options_size, arena, error);
    if (rules->mutators[i].options == NULL) {
      return error_wrap(error, "mutator %s", mutator->name);
    }
  }
  return 0;
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

int admission_config_copy_rules(struct admission_config *config, const struct ruleset *rules,
                                struct ruleset *ret_copy) {
  struct arena *arena = config->arena;
  struct rule_setting *settings = arena_calloc(arena, mutator_count, sizeof *settings);
  if (settings == NULL) {
    return -1;
  }
  for (size_t i = 0; i < mutator_count; i++) {
    const struct mutator *mutator = mutators[i];
    const struct rule_setting *from = &rules->mutators[i];
    settings[i].mode = from->mode;
    settings[i].options = arena_calloc(arena, 1, mutator->options_size);
    if (settings[i].options == NULL) {
      return -1;
    }
    if (mutator->options_size > 0) {
      memcpy(settings[i].options, from->options, mutator->options_size);
    }
    if (copy_lists(mutator->options, mutator->option_count, from->options, settings[i].options,
                   arena) != 0) {
      return -1;
    }
  }
  ret_copy->mutators = settings;
  return 0;
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
