#include "tests/validators/cases.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "admission/config_options.h"
#include "admission/rule.h"
#include "tests/validators/verdict.h"

// ---- the form of a case ----

static yyjson_val *member(yyjson_val *object, const char *name) {
  return yyjson_obj_get(object, name);
}

static const char *const case_members[] = {
    "name",  "config", "global",    "kind",    "operation", "request",  "object", "base",
    "merge", "edit",   "oldObject", "allowed", "denied",    "warnings", "paths",  NULL};
static const char *const object_members[] = {"object", "base", "merge", "edit", NULL};

static void check_case(const char *path, const char *name, yyjson_val *definition) {
  if (member(definition, "oldObject") != NULL) {
    case_check_members(path, name, member(definition, "oldObject"), object_members);
  }
  yyjson_val *allowed = member(definition, "allowed");
  size_t denied = yyjson_arr_size(member(definition, "denied"));
  if (!yyjson_is_bool(allowed)) {
    case_reject(path, name, "wants \"allowed\": true or false");
  }
  if (yyjson_is_true(allowed) != (denied == 0)) {
    case_reject(path, name,
                "wants \"denied\" with words of the message exactly when it is not allowed");
  }
}

const struct case_format validator_cases = {
    .folder = SOURCE_DIR "/tests/validators", .members = case_members, .check = check_case};

const struct validator *case_validator(const struct case_file *file) {
  for (size_t i = 0; i < validator_count; i++) {
    if (strcmp(validators[i]->name, file->rule) == 0) {
      return validators[i];
    }
  }
  return NULL;
}

// ---- the input of a case ----

// "kind" of the case, else of the object.
static char *kind_of(const struct rule_case *one, struct text object) {
  const char *given = yyjson_get_str(member(one->definition, "kind"));
  if (given != NULL) {
    return strdup(given);
  }
  yyjson_doc *doc = values_parse(object, one->name);
  const char *kind = yyjson_get_str(member(yyjson_doc_get_root(doc), "kind"));
  ck_assert_msg(kind != NULL, "%s: neither the case nor the object has a kind", one->name);
  char *copy = strdup(kind);
  yyjson_doc_free(doc);
  return copy;
}

struct owned_text case_body(const struct rule_case *one) {
  yyjson_val *old_form = member(one->definition, "oldObject");
  const char *operation = yyjson_get_str(member(one->definition, "operation"));
  struct owned_text object = case_make_object(one, one->definition);
  struct owned_text old_object = {NULL, 0};
  if (old_form != NULL) {
    old_object = case_make_object(one, old_form);
  }
  if (operation == NULL) {
    operation = old_form != NULL ? "UPDATE" : "CREATE";
  }
  char *kind = kind_of(one, owned_view(object));
  struct owned_text body = verdict_wrap(kind, operation, owned_view(object), owned_view(old_object),
                                        member(one->definition, "request"));
  free(kind);
  free(old_object.data);
  free(object.data);
  return body;
}

// ---- the configuration of a case ----

static int index_of(const struct rule_case *one, const char *const *names, yyjson_val *value) {
  int index = option_name_index(names, json_text(value));
  ck_assert_msg(index >= 0, "%s: no such setting as %s", one->name, yyjson_get_str(value));
  return index;
}

static void configure_rule(const struct rule_case *one, const struct validator *validator,
                           struct rule_setting *setting, struct arena *arena) {
  yyjson_obj_iter iter = yyjson_obj_iter_with(member(one->definition, "config"));
  for (yyjson_val *key = yyjson_obj_iter_next(&iter); key != NULL;
       key = yyjson_obj_iter_next(&iter)) {
    yyjson_val *value = yyjson_obj_iter_get_val(key);
    const struct option *row = case_option(validator->options, validator->option_count, key);
    if (yyjson_equals_str(key, "action")) {
      setting->action = index_of(one, validator_action_names, value);
    } else if (yyjson_equals_str(key, "podAction")) {
      setting->pod_action = index_of(one, validator_action_names, value);
    } else {
      ck_assert_msg(row != NULL, "%s: no option %s", one->name, yyjson_get_str(key));
      case_set_option(one, row, setting->options, value, arena);
    }
  }
}

static void set_mutators(const struct rule_case *one, yyjson_val *modes,
                         struct admission_config *config) {
  yyjson_obj_iter iter = yyjson_obj_iter_with(modes);
  for (yyjson_val *key = yyjson_obj_iter_next(&iter); key != NULL;
       key = yyjson_obj_iter_next(&iter)) {
    bool found = false;
    for (size_t i = 0; i < mutator_count; i++) {
      if (yyjson_equals_str(key, mutators[i]->name)) {
        config->rules.mutators[i].mode =
            index_of(one, mutator_mode_names, yyjson_obj_iter_get_val(key));
        found = true;
      }
    }
    ck_assert_msg(found, "%s: no mutator %s", one->name, yyjson_get_str(key));
  }
}

// What the configuration says for all rules together: podPolicy, gpuResources, and the modes of
// mutators, which some validators ask for.
static void configure_all(const struct rule_case *one, struct admission_config *config) {
  yyjson_obj_iter iter = yyjson_obj_iter_with(member(one->definition, "global"));
  for (yyjson_val *key = yyjson_obj_iter_next(&iter); key != NULL;
       key = yyjson_obj_iter_next(&iter)) {
    yyjson_val *value = yyjson_obj_iter_get_val(key);
    if (yyjson_equals_str(key, "mutators")) {
      set_mutators(one, value, config);
      continue;
    }
    const struct option *row = case_option(admission_options, admission_option_count, key);
    ck_assert_msg(row != NULL, "%s: no setting %s", one->name, yyjson_get_str(key));
    case_set_option(one, row, config, value, config->arena);
  }
}

struct admission_config *case_config(const struct rule_case *one) {
  const struct validator *validator = case_validator(one->file);
  ck_assert_msg(validator != NULL, "%s: no validator is named %s", one->file->path,
                one->file->rule);
  struct error error;
  struct admission_config *config = admission_config_new(&error);
  ck_assert_msg(config != NULL, "%s", error.text);
  for (size_t i = 0; i < validator_count; i++) {
    struct rule_setting *setting = &config->rules.validators[i];
    if (validators[i] == validator) {
      configure_rule(one, validator, setting, config->arena);
    } else {
      setting->action = ACTION_OFF;
      setting->pod_action = ACTION_OFF;
    }
  }
  configure_all(one, config);
  return config;
}

// ---- what a case expects ----

bool case_allowed(const struct rule_case *one) {
  return yyjson_is_true(member(one->definition, "allowed"));
}

yyjson_val *case_expected(const struct rule_case *one, const char *list) {
  return member(one->definition, list);
}
