#include "tests/rules/cases.h"

#include <check.h>
#include <string.h>

#include "admission/rule.h"
#include "tests/rules/table.h"

static const char *const members[] = {"name",  "config", "settings", "request", "object", "base",
                                      "merge", "edit",   "patch",    "note",    NULL};

const struct case_format mutator_cases = {.folder = SOURCE_DIR "/tests/mutators",
                                          .members = members};

static yyjson_val *member(yyjson_val *object, const char *name) {
  return yyjson_obj_get(object, name);
}

const struct mutator *case_mutator(const struct case_file *file) {
  for (size_t i = 0; i < mutator_count; i++) {
    if (strcmp(mutators[i]->name, file->rule) == 0) {
      return mutators[i];
    }
  }
  return NULL;
}

struct owned_text case_object(const struct rule_case *one) {
  return case_make_object(one, one->definition);
}

static void configure_rule(const struct rule_case *one, const struct mutator *mutator,
                           struct rule_setting *setting, struct arena *arena) {
  yyjson_obj_iter iter = yyjson_obj_iter_with(member(one->definition, "config"));
  for (yyjson_val *key = yyjson_obj_iter_next(&iter); key != NULL;
       key = yyjson_obj_iter_next(&iter)) {
    yyjson_val *value = yyjson_obj_iter_get_val(key);
    if (yyjson_equals_str(key, "mode")) {
      setting->mode = option_name_index(mutator_mode_names, json_text(value));
      ck_assert_msg(setting->mode >= 0, "%s: no such mode", one->name);
      continue;
    }
    const struct option *row = case_option(mutator->options, mutator->option_count, key);
    ck_assert_msg(row != NULL, "%s: no option %s", one->name, yyjson_get_str(key));
    case_set_option(one, row, setting->options, value, arena);
  }
}

// What the configuration says for all rules together.
static void configure_all(const struct rule_case *one, struct admission_config *config) {
  yyjson_val *settings = member(one->definition, "settings");
  yyjson_val *opt_out = member(settings, "allowOptOut");
  yyjson_val *gpus = member(settings, "gpuResources");
  if (opt_out != NULL) {
    config->allow_opt_out = yyjson_is_true(opt_out);
  }
  if (gpus != NULL) {
    size_t count = yyjson_arr_size(gpus);
    struct text *items = arena_calloc(config->arena, count, sizeof *items);
    for (size_t i = 0; i < count; i++) {
      items[i] = arena_copy(config->arena, json_text(yyjson_arr_get(gpus, i)));
    }
    config->gpu_resources = (struct text_list){items, count};
  }
  size_t known = (opt_out != NULL ? 1U : 0U) + (gpus != NULL ? 1U : 0U);
  ck_assert_msg(yyjson_obj_size(settings) == known, "%s: unknown setting", one->name);
}

struct admission_config *case_config(const struct rule_case *one) {
  const struct mutator *mutator = case_mutator(one->file);
  ck_assert_msg(mutator != NULL, "%s: no mutator is named %s", one->file->path, one->file->rule);
  struct admission_config *config = table_config(mutator->name);
  for (size_t i = 0; i < mutator_count; i++) {
    if (mutators[i] == mutator) {
      configure_rule(one, mutator, &config->rules.mutators[i], config->arena);
    }
  }
  configure_all(one, config);
  return config;
}

yyjson_val *case_request(const struct rule_case *one) {
  return member(one->definition, "request");
}

yyjson_val *case_written_patch(const struct rule_case *one) {
  return member(one->definition, "patch");
}

const char *case_note(const struct rule_case *one) {
  return yyjson_get_str(member(one->definition, "note"));
}
