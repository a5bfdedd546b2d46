#include "tests/rules/cases.h"

#include <check.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admission/rule.h"
#include "tests/rules/table.h"

#define MUTATOR_CASES SOURCE_DIR "/tests/mutators"

// ---- reading the files ----

static yyjson_val *member(yyjson_val *object, const char *name) {
  return yyjson_obj_get(object, name);
}

static _Noreturn void reject(const char *path, const char *name, const char *problem) {
  fprintf(stderr, "%s: %s: %s\n", path, name, problem);
  exit(EXIT_FAILURE);
}

static const char *const case_members[] = {"name", "config", "settings", "request", "object",
                                           "base", "merge",  "edit",     "patch",   "note"};

// A misspelt member would make a case weaker than it looks.
static void check_members(const struct case_file *file, const char *name, yyjson_val *definition) {
  yyjson_obj_iter iter = yyjson_obj_iter_with(definition);
  for (yyjson_val *key = yyjson_obj_iter_next(&iter); key != NULL;
       key = yyjson_obj_iter_next(&iter)) {
    bool known = false;
    for (size_t i = 0; i < COUNT_OF(case_members); i++) {
      known = known || yyjson_equals_str(key, case_members[i]);
    }
    if (!known) {
      reject(file->path, name, yyjson_get_str(key));
    }
  }
  if ((member(definition, "object") == NULL) == (member(definition, "base") == NULL)) {
    reject(file->path, name, "wants either \"object\" or \"base\"");
  }
}

static void load_case(const struct case_file *file, size_t index, struct rule_case *ret_case) {
  yyjson_val *definition = yyjson_arr_get(file->cases, index);
  const char *name = yyjson_get_str(member(definition, "name"));
  if (name == NULL) {
    reject(file->path, "a case", "has no name");
  }
  check_members(file, name, definition);
  size_t size = strlen(file->rule) + strlen(name) + 3;
  *ret_case = (struct rule_case){.file = file, .index = index, .definition = definition};
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
  if (glob(MUTATOR_CASES "/*.json", 0, NULL, &paths) != 0) {
    reject(MUTATOR_CASES, "cases", "there are none");
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

const struct mutator *case_mutator(const struct case_file *file) {
  for (size_t i = 0; i < mutator_count; i++) {
    if (strcmp(mutators[i]->name, file->rule) == 0) {
      return mutators[i];
    }
  }
  return NULL;
}

// ---- the input of a case ----

struct owned_text case_object(const struct rule_case *one) {
  yyjson_val *object = member(one->definition, "object");
  yyjson_val *merge = member(one->definition, "merge");
  yyjson_val *edit = member(one->definition, "edit");
  if (object != NULL) {
    return values_change(object, merge, edit, one->name);
  }
  char path[1024];
  snprintf(path, sizeof path, MUTATOR_CASES "/bases/%s.json",
           yyjson_get_str(member(one->definition, "base")));
  struct owned_text base = values_read_file(path);
  yyjson_doc *doc = values_parse(owned_view(base), path);
  struct owned_text changed = values_change(yyjson_doc_get_root(doc), merge, edit, one->name);
  yyjson_doc_free(doc);
  free(base.data);
  return changed;
}

static struct text scalar(yyjson_val *value, const char *what) {
  if (yyjson_is_bool(value)) {
    return yyjson_get_bool(value) ? TEXT("true") : TEXT("false");
  }
  struct text text = json_scalar_text(value);
  ck_assert_msg(text.data != NULL, "%s: an option is a scalar or a list of scalars", what);
  return text;
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
    const struct option *row = NULL;
    for (size_t i = 0; i < mutator->option_count; i++) {
      if (yyjson_equals_str(key, mutator->options[i].key)) {
        row = &mutator->options[i];
      }
    }
    ck_assert_msg(row != NULL, "%s: no option %s", one->name, yyjson_get_str(key));
    set_option(one, row, setting->options, value, arena);
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
