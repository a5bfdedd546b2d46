#include "tests/validators/cases.h"

#include <check.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admission/config_options.h"
#include "admission/rule.h"
#include "tests/validators/verdict.h"

#define FOLDER SOURCE_DIR "/tests/validators"

// ---- reading the files ----

static yyjson_val *member(yyjson_val *object, const char *name) {
  return yyjson_obj_get(object, name);
}

static _Noreturn void reject(const char *path, const char *name, const char *problem) {
  fprintf(stderr, "%s: %s: %s\n", path, name, problem);
  exit(EXIT_FAILURE);
}

static const char *const case_members[] = {
    "name",  "config", "global",    "kind",    "operation", "request",  "object", "base",
    "merge", "edit",   "oldObject", "allowed", "denied",    "warnings", "paths",  NULL};
static const char *const object_members[] = {"object", "base", "merge", "edit", NULL};

// A misspelt member would make a case weaker than it looks.
static void check_members(const char *path, const char *name, yyjson_val *object,
                          const char *const *known) {
  yyjson_obj_iter iter = yyjson_obj_iter_with(object);
  for (yyjson_val *key = yyjson_obj_iter_next(&iter); key != NULL;
       key = yyjson_obj_iter_next(&iter)) {
    bool found = false;
    for (size_t i = 0; known[i] != NULL; i++) {
      found = found || yyjson_equals_str(key, known[i]);
    }
    if (!found) {
      reject(path, name, yyjson_get_str(key));
    }
  }
  if ((member(object, "object") == NULL) == (member(object, "base") == NULL)) {
    reject(path, name, "wants either \"object\" or \"base\"");
  }
}

static void check_case(const char *path, const char *name, yyjson_val *definition) {
  check_members(path, name, definition, case_members);
  if (member(definition, "oldObject") != NULL) {
    check_members(path, name, member(definition, "oldObject"), object_members);
  }
  yyjson_val *allowed = member(definition, "allowed");
  size_t denied = yyjson_arr_size(member(definition, "denied"));
  if (!yyjson_is_bool(allowed)) {
    reject(path, name, "wants \"allowed\": true or false");
  }
  if (yyjson_is_true(allowed) != (denied == 0)) {
    reject(path, name, "wants \"denied\" with words of the message exactly when it is not allowed");
  }
}

static void load_case(const struct case_file *file, size_t index, struct rule_case *ret_case) {
  yyjson_val *definition = yyjson_arr_get(file->cases, index);
  const char *name = yyjson_get_str(member(definition, "name"));
  if (name == NULL) {
    reject(file->path, "a case", "has no name");
  }
  check_case(file->path, name, definition);
  size_t size = strlen(file->rule) + strlen(name) + 3;
  *ret_case = (struct rule_case){.file = file, .definition = definition};
  ret_case->name = malloc(size);
  snprintf(ret_case->name, size, "%s: %s", file->rule, name);
}

static void load_file(const char *path, struct case_file *ret_file) {
  yyjson_read_err error;
  ret_file->path = strdup(path);
  ret_file->doc = yyjson_read_file(path, JSON_READ_FLAGS, NULL, &error);
  if (ret_file->doc == NULL) {
    fprintf(stderr, "%s: %s at byte %zu\n", path, error.msg, error.pos);
    exit(EXIT_FAILURE);
  }
  yyjson_val *root = yyjson_doc_get_root(ret_file->doc);
  const char *rule = yyjson_get_str(member(root, "rule"));
  ret_file->cases = member(root, "cases");
  if (rule == NULL || yyjson_arr_size(ret_file->cases) == 0) {
    reject(path, "file", "wants a \"rule\" and \"cases\"");
  }
  ret_file->rule = strdup(rule);
}

struct case_list cases_load(void) {
  struct case_list list = {0};
  glob_t paths;
  if (glob(FOLDER "/*.json", 0, NULL, &paths) != 0) {
    reject(FOLDER, "cases", "there are none");
  }
  list.file_count = paths.gl_pathc;
  list.files = calloc(list.file_count, sizeof *list.files);
  for (size_t i = 0; i < list.file_count; i++) {
    load_file(paths.gl_pathv[i], &list.files[i]);
    list.count += yyjson_arr_size(list.files[i].cases);
  }
  globfree(&paths);
  list.cases = calloc(list.count, sizeof *list.cases);
  size_t next = 0;
  for (size_t i = 0; i < list.file_count; i++) {
    for (size_t k = 0; k < yyjson_arr_size(list.files[i].cases); k++) {
      load_case(&list.files[i], k, &list.cases[next++]);
    }
  }
  return list;
}

void cases_free(struct case_list *list) {
  for (size_t i = 0; i < list->count; i++) {
    free(list->cases[i].name);
  }
  for (size_t i = 0; i < list->file_count; i++) {
    free(list->files[i].path);
    free(list->files[i].rule);
    yyjson_doc_free(list->files[i].doc);
  }
  free(list->cases);
  free(list->files);
  *list = (struct case_list){0};
}

const struct validator *case_validator(const struct case_file *file) {
  for (size_t i = 0; i < validator_count; i++) {
    if (strcmp(validators[i]->name, file->rule) == 0) {
      return validators[i];
    }
  }
  return NULL;
}

// ---- the input of a case ----

yyjson_doc *base_read(const char *name) {
  char path[1024];
  snprintf(path, sizeof path, FOLDER "/bases/%s.json", name);
  struct owned_text text = values_read_file(path);
  yyjson_doc *doc = values_parse(owned_view(text), path);
  free(text.data);
  return doc;
}

static struct owned_text read_object(const struct rule_case *one, yyjson_val *form) {
  yyjson_val *object = member(form, "object");
  yyjson_val *merge = member(form, "merge");
  yyjson_val *edit = member(form, "edit");
  if (object != NULL) {
    return values_change(object, merge, edit, one->name);
  }
  yyjson_doc *doc = base_read(yyjson_get_str(member(form, "base")));
  struct owned_text changed = values_change(yyjson_doc_get_root(doc), merge, edit, one->name);
  yyjson_doc_free(doc);
  return changed;
}

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
  struct owned_text object = read_object(one, one->definition);
  struct owned_text old_object = {NULL, 0};
  if (old_form != NULL) {
    old_object = read_object(one, old_form);
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

static struct text scalar(yyjson_val *value, const char *what) {
  if (yyjson_is_bool(value)) {
    return yyjson_get_bool(value) ? TEXT("true") : TEXT("false");
  }
  struct text text = json_scalar_text(value);
  ck_assert_msg(text.data != NULL, "%s: an option is a scalar or a list of scalars", what);
  return text;
}

static int index_of(const struct rule_case *one, const char *const *names, yyjson_val *value) {
  int index = option_name_index(names, json_text(value));
  ck_assert_msg(index >= 0, "%s: no such setting as %s", one->name, yyjson_get_str(value));
  return index;
}

static void set_option(const struct rule_case *one, const struct option *row, void *options,
                       yyjson_val *value, struct arena *arena) {
  struct error error = {""};
  int failed = 0;
  if (yyjson_is_arr(value)) {
    option_clear(row, options);
    for (size_t i = 0; i < yyjson_arr_size(value) && !failed; i++) {
      struct text item = scalar(yyjson_arr_get(value, i), one->name);
      failed = option_set(row, options, item, arena, &error);
    }
  } else {
    failed = option_set(row, options, scalar(value, one->name), arena, &error);
  }
  ck_assert_msg(!failed, "%s: option %s: %s", one->name, row->key, error.text);
}

static void configure_rule(const struct rule_case *one, const struct validator *validator,
                           struct rule_setting *setting, struct arena *arena) {
  yyjson_obj_iter iter = yyjson_obj_iter_with(member(one->definition, "config"));
  for (yyjson_val *key = yyjson_obj_iter_next(&iter); key != NULL;
       key = yyjson_obj_iter_next(&iter)) {
    yyjson_val *value = yyjson_obj_iter_get_val(key);
    const struct option *row = NULL;
    for (size_t i = 0; i < validator->option_count; i++) {
      if (yyjson_equals_str(key, validator->options[i].key)) {
        row = &validator->options[i];
      }
    }
    if (yyjson_equals_str(key, "action")) {
      setting->action = index_of(one, validator_action_names, value);
    } else if (yyjson_equals_str(key, "podAction")) {
      setting->pod_action = index_of(one, validator_action_names, value);
    } else {
      ck_assert_msg(row != NULL, "%s: no option %s", one->name, yyjson_get_str(key));
      set_option(one, row, setting->options, value, arena);
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
    const struct option *row = NULL;
    for (size_t i = 0; i < admission_option_count; i++) {
      if (yyjson_equals_str(key, admission_options[i].key)) {
        row = &admission_options[i];
      }
    }
    ck_assert_msg(row != NULL, "%s: no setting %s", one->name, yyjson_get_str(key));
    set_option(one, row, config, value, config->arena);
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
