#include "tests/rules/case_file.h"

#include <check.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admission/json.h"
#include "admission/option.h"

// ---- reading the files ----

_Noreturn void case_reject(const char *path, const char *name, const char *problem) {
  fprintf(stderr, "%s: %s: %s\n", path, name, problem);
  exit(EXIT_FAILURE);
}

// A misspelt member would make a case weaker than it looks.
void case_check_members(const char *path, const char *name, yyjson_val *object,
                        const char *const *known) {
  yyjson_obj_iter iter = yyjson_obj_iter_with(object);
  for (yyjson_val *key = yyjson_obj_iter_next(&iter); key != NULL;
       key = yyjson_obj_iter_next(&iter)) {
    bool found = false;
    for (size_t i = 0; known[i] != NULL; i++) {
      found = found || yyjson_equals_str(key, known[i]);
    }
    if (!found) {
      case_reject(path, name, yyjson_get_str(key));
    }
  }
  if ((yyjson_obj_get(object, "object") == NULL) == (yyjson_obj_get(object, "base") == NULL)) {
    case_reject(path, name, "wants either \"object\" or \"base\"");
  }
}

static void load_case(const struct case_file *file, size_t index, struct rule_case *ret_case) {
  yyjson_val *definition = yyjson_arr_get(file->cases, index);
  const char *name = yyjson_get_str(yyjson_obj_get(definition, "name"));
  if (name == NULL) {
    case_reject(file->path, "a case", "has no name");
  }
  case_check_members(file->path, name, definition, file->format->members);
  if (file->format->check != NULL) {
    file->format->check(file->path, name, definition);
  }
  size_t size = strlen(file->rule) + strlen(name) + 3;
  *ret_case = (struct rule_case){.file = file, .index = index, .definition = definition};
  ret_case->name = malloc(size);
  snprintf(ret_case->name, size, "%s: %s", file->rule, name);
}

static void load_file(const struct case_format *format, const char *path,
                      struct case_file *ret_file) {
  yyjson_read_err error;
  ret_file->format = format;
  ret_file->path = strdup(path);
  ret_file->doc = yyjson_read_file(path, JSON_READ_FLAGS, NULL, &error);
  if (ret_file->doc == NULL) {
    fprintf(stderr, "%s: %s at byte %zu\n", path, error.msg, error.pos);
    exit(EXIT_FAILURE);
  }
  yyjson_val *root = yyjson_doc_get_root(ret_file->doc);
  const char *rule = yyjson_get_str(yyjson_obj_get(root, "rule"));
  ret_file->cases = yyjson_obj_get(root, "cases");
  if (rule == NULL || yyjson_arr_size(ret_file->cases) == 0) {
    case_reject(path, "file", "wants a \"rule\" and \"cases\"");
  }
  ret_file->rule = strdup(rule);
}

struct case_list cases_load(const struct case_format *format) {
  struct case_list list = {0};
  glob_t paths;
  char pattern[1024];
  snprintf(pattern, sizeof pattern, "%s/*.json", format->folder);
  if (glob(pattern, 0, NULL, &paths) != 0) {
    case_reject(format->folder, "cases", "there are none");
  }
  list.file_count = paths.gl_pathc;
  list.files = calloc(list.file_count, sizeof *list.files);
  for (size_t i = 0; i < list.file_count; i++) {
    load_file(format, paths.gl_pathv[i], &list.files[i]);
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

// ---- the input of a case ----

yyjson_doc *case_base(const struct case_format *format, const char *name) {
  char path[1024];
  snprintf(path, sizeof path, "%s/bases/%s.json", format->folder, name);
  struct owned_text text = values_read_file(path);
  yyjson_doc *doc = values_parse(owned_view(text), path);
  free(text.data);
  return doc;
}

struct owned_text case_make_object(const struct rule_case *one, yyjson_val *form) {
  yyjson_val *object = yyjson_obj_get(form, "object");
  yyjson_val *merge = yyjson_obj_get(form, "merge");
  yyjson_val *edit = yyjson_obj_get(form, "edit");
  if (object != NULL) {
    return values_change(object, merge, edit, one->name);
  }
  const char *base = yyjson_get_str(yyjson_obj_get(form, "base"));
  yyjson_doc *doc = case_base(one->file->format, base);
  struct owned_text changed = values_change(yyjson_doc_get_root(doc), merge, edit, one->name);
  yyjson_doc_free(doc);
  return changed;
}

const struct option *case_option(const struct option *rows, size_t count, yyjson_val *key) {
  for (size_t i = 0; i < count; i++) {
    if (yyjson_equals_str(key, rows[i].key)) {
      return &rows[i];
    }
  }
  return NULL;
}

static struct text scalar(yyjson_val *value, const char *what) {
  if (yyjson_is_bool(value)) {
    return yyjson_get_bool(value) ? TEXT("true") : TEXT("false");
  }
  struct text text = json_scalar_text(value);
  ck_assert_msg(text.data != NULL, "%s: an option is a scalar or a list of scalars", what);
  return text;
}

void case_set_option(const struct rule_case *one, const struct option *row, void *options,
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

// ---- what holds for all cases ----

void cases_check_names(const struct case_list *list) {
  for (size_t i = 0; i < list->count; i++) {
    for (size_t k = 0; k < i; k++) {
      ck_assert_msg(strcmp(list->cases[i].name, list->cases[k].name) != 0, "two cases are named %s",
                    list->cases[i].name);
    }
  }
}

void cases_check_rule(const struct case_list *list, const char *kind, const char *rule) {
  size_t files = 0;
  for (size_t i = 0; i < list->file_count; i++) {
    files += strcmp(list->files[i].rule, rule) == 0 ? 1U : 0U;
  }
  ck_assert_msg(files == 1, "%s %s has %zu files tests/%ss/%s.json, wanted one", kind, rule, files,
                kind, rule);
}

void case_check_file(const struct case_file *file, const char *kind, bool is_known) {
  char wanted[256];
  snprintf(wanted, sizeof wanted, "/%s.json", file->rule);
  ck_assert_msg(is_known, "%s: no %s is named %s", file->path, kind, file->rule);
  ck_assert_msg(text_ends_with(text_of(file->path), text_of(wanted)),
                "%s: named after another rule than its \"rule\", %s", file->path, file->rule);
}

// Some allocations are only attempts to do better, so one success does not mean that no later
// failure is noticed.
#define SUCCESSES_WANTED 8

void case_fail_allocations(const struct rule_case *one, struct arena *arena, case_attempt *attempt,
                           void *context) {
  size_t successes = 0;
  size_t failures = 0;
  for (size_t i = 0; successes < SUCCESSES_WANTED; i++) {
    arena_fail_after(arena, i);
    bool failed = attempt(context, i);
    successes = failed ? 0 : successes + 1;
    failures += failed ? 1 : 0;
  }
  arena_fail_after(arena, SIZE_MAX);
  ck_assert_msg(failures > 0, "%s: no allocation failed", one->name);
}
