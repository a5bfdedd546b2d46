// The shared runner: every case of every mutator. With --update, writes what the code answers into
// the files instead.

#include "tests/rules/cases.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/rules/changes.h"
#include "tests/rules/expected.h"
#include "tests/rules/json_patch.h"
#include "tests/rules/review.h"
#include "tests/rules/table.h"
#include "tests/unit/suite.h"

static struct case_list list;
static struct arena *arena;

// ---- the annotation that says what was done ----

#define APPLIED "rayfix.io/applied"

// Whether the annotation was added to annotations that were there, or together with its parents.
static bool is_record(json_t *operation) {
  const char *path = json_string_value(json_object_get(operation, "path"));
  json_t *value = json_object_get(operation, "value");
  if (strcmp(path, "/metadata/annotations") == 0) {
    return json_object_size(value) == 1 && json_object_get(value, APPLIED) != NULL;
  }
  return strcmp(path, "/metadata/annotations/rayfix.io~1applied") == 0;
}

// The rule's own operations: all but the record, which must be the last one. New.
static json_t *own_operations(json_t *patch) {
  json_t *own = json_copy(patch);
  size_t count = json_array_size(own);
  if (count > 0 && is_record(json_array_get(own, count - 1))) {
    json_array_remove(own, count - 1);
  }
  return own;
}

static void check_record(const struct rule_case *one, json_t *before, json_t *after) {
  json_t *annotations = json_pointer_get(after, "/metadata/annotations");
  json_t *earlier = json_pointer_get(before, "/metadata/annotations/rayfix.io~1applied");
  if (annotations != NULL && !json_is_object(annotations)) {
    return;  // of a wrong type: the API server refuses the pod, whatever we do
  }
  const char *applied = json_string_value(json_object_get(annotations, APPLIED));
  ck_assert_msg(applied != NULL, "%s: no annotation " APPLIED, one->name);
  if (earlier == NULL) {
    ck_assert_str_eq(applied, one->file->rule);
  } else {
    ck_assert_msg(strstr(applied, one->file->rule) != NULL, "%s: " APPLIED " is %s", one->name,
                  applied);
  }
}

// ---- one case ----

static char *dump(json_t *value) {
  return json_dumps(value, JSON_INDENT(2) | JSON_ENCODE_ANY);
}

static void check_operations(const struct rule_case *one, json_t *own) {
  json_t *wanted = expected_patch(one);
  char *wanted_text = dump(wanted);
  char *own_text = dump(own);
  ck_assert_msg(json_equal(wanted, own), "%s\nwanted %s\nfound %s", one->name, wanted_text,
                own_text);
  free(wanted_text);
  free(own_text);
  json_decref(wanted);
}

// Applies the answered patch twice, with jansson and with yyjson: the results must be the same and
// differ from the original only where the patch says so.
static struct owned_text check_result(const struct rule_case *one, struct text object,
                                      json_t *before, const struct reviewed *reviewed) {
  struct owned_text result = values_apply(object, owned_view(reviewed->patch_text));
  ck_assert_msg(result.data != NULL, "%s: the patch does not apply", one->name);
  if (before == NULL) {
    return result;
  }
  struct error error;
  json_t *after = json_patch_apply(before, reviewed->patch, &error);
  ck_assert_msg(after != NULL, "%s: %s", one->name, error.text);
  json_t *other = json_loadb(result.data, result.len, JSON_ALLOW_NUL, NULL);
  ck_assert_msg(json_equal(after, other), "%s: two libraries apply the patch differently",
                one->name);
  changes_check(before, after, reviewed->patch);
  check_record(one, before, after);
  json_decref(other);
  json_decref(after);
  return result;
}

// Every mutator does nothing on its own output.
static void check_again(const struct rule_case *one, const struct admission_config *config,
                        struct text result) {
  struct owned_text body = review_wrap(result, case_request(one));
  struct reviewed again = review_run(config, arena, owned_view(body));
  ck_assert_msg(again.patch_text.data == NULL, "%s: the second review patches again: %s", one->name,
                again.patch_text.data);
  reviewed_free(&again);
  free(body.data);
}

static void check_answer(const struct rule_case *one, const struct reviewed *reviewed) {
  ck_assert_msg(reviewed->status == ADMISSION_ANSWERED && reviewed->allowed,
                "%s: not answered with allowed", one->name);
  const char *note = case_note(one);
  if (note != NULL) {
    ck_assert_msg(strstr(reviewed->notes, note) != NULL, "%s: wanted the note \"%s\", found \"%s\"",
                  one->name, note, reviewed->notes);
  }
}

START_TEST(does_what_the_case_says) {
  const struct rule_case *one = &list.cases[_i];
  struct admission_config *config = case_config(one);
  struct owned_text object = case_object(one);
  struct owned_text body = review_wrap(owned_view(object), case_request(one));
  struct reviewed reviewed = review_run(config, arena, owned_view(body));
  check_answer(one, &reviewed);
  // NULL for what jansson does not read, such as a NUL in a key: then yyjson alone applies it.
  json_t *before = json_loadb(object.data, object.len, JSON_ALLOW_NUL, NULL);
  json_t *own = own_operations(reviewed.patch);
  check_operations(one, own);
  if (reviewed.patch_text.data != NULL) {
    struct owned_text result = check_result(one, owned_view(object), before, &reviewed);
    check_again(one, config, owned_view(result));
    free(result.data);
  }
  json_decref(own);
  json_decref(before);
  reviewed_free(&reviewed);
  free(body.data);
  free(object.data);
  admission_config_free(config);
}
END_TEST

// ---- memory runs out ----

struct attempt {
  const struct rule_case *one;
  const struct admission_config *config;
  struct text body;
  struct reviewed wanted;
};

static bool attempt_review(void *context, size_t allocation) {
  const struct attempt *attempt = context;
  struct reviewed reviewed = review_run(attempt->config, arena, attempt->body);
  bool is_short = reviewed.status == ADMISSION_OUT_OF_MEMORY;
  if (!is_short) {
    const struct owned_text *wanted = &attempt->wanted.answer;
    ck_assert_msg(reviewed.status == ADMISSION_ANSWERED && reviewed.answer.len == wanted->len &&
                      memcmp(reviewed.answer.data, wanted->data, wanted->len) == 0,
                  "%s: a different answer when allocation %zu fails", attempt->one->name,
                  allocation);
  }
  reviewed_free(&reviewed);
  return is_short;
}

START_TEST(answers_fully_or_not_at_all) {
  const struct rule_case *one = &list.cases[_i];
  struct admission_config *config = case_config(one);
  struct owned_text object = case_object(one);
  struct owned_text body = review_wrap(owned_view(object), case_request(one));
  struct attempt attempt = {one, config, owned_view(body),
                            review_run(config, arena, owned_view(body))};
  case_fail_allocations(one, arena, attempt_review, &attempt);
  reviewed_free(&attempt.wanted);
  free(body.data);
  free(object.data);
  admission_config_free(config);
}
END_TEST

START_TEST(needs_room_for_the_whole_answer) {
  const struct rule_case *one = &list.cases[_i];
  struct admission_config *config = case_config(one);
  struct owned_text object = case_object(one);
  struct owned_text body = review_wrap(owned_view(object), case_request(one));
  struct reviewed wanted = review_run(config, arena, owned_view(body));
  struct buffer out = {.max = wanted.answer.len - 1};
  struct decision decision;
  enum admission_status status =
      admission_review(config, PHASE_MUTATE, arena, body.data, body.len, &out, &decision);
  ck_assert_int_eq(status, ADMISSION_OUT_OF_MEMORY);
  buffer_free(&out);
  reviewed_free(&wanted);
  free(body.data);
  free(object.data);
  admission_config_free(config);
}
END_TEST

// ---- files and table ----

START_TEST(every_mutator_has_a_file) {
  for (size_t i = 0; i < table_size(); i++) {
    cases_check_rule(&list, "mutator", table_name(i));
  }
}
END_TEST

START_TEST(every_file_names_a_mutator) {
  for (size_t i = 0; i < list.file_count; i++) {
    case_check_file(&list.files[i], "mutator", case_mutator(&list.files[i]) != NULL);
  }
}
END_TEST

START_TEST(names_are_unique) {
  cases_check_names(&list);
}
END_TEST

// ---- --update ----

static void update_case(const struct rule_case *one, yyjson_mut_doc *doc, yyjson_mut_val *cases) {
  struct admission_config *config = case_config(one);
  struct owned_text object = case_object(one);
  struct owned_text body = review_wrap(owned_view(object), case_request(one));
  struct reviewed reviewed = review_run(config, arena, owned_view(body));
  json_t *own = own_operations(reviewed.patch);
  json_t *folded = expected_fold(one, own);
  char *text = json_dumps(folded, JSON_COMPACT);
  yyjson_doc *parsed = yyjson_read(text, strlen(text), 0);
  yyjson_mut_val *target = yyjson_mut_arr_get(cases, one->index);
  yyjson_mut_val *value = yyjson_val_mut_copy(doc, yyjson_doc_get_root(parsed));
  if (yyjson_mut_obj_get(target, "patch") != NULL) {
    yyjson_mut_obj_replace(target, yyjson_mut_str(doc, "patch"), value);
  } else {
    yyjson_mut_obj_add_val(doc, target, "patch", value);
  }
  yyjson_doc_free(parsed);
  free(text);
  json_decref(folded);
  json_decref(own);
  reviewed_free(&reviewed);
  free(body.data);
  free(object.data);
  admission_config_free(config);
}

static int update_file(const struct case_file *file) {
  // Read again: yyjson 0.10 does not indent numbers that it keeps as text, so only those that do
  // not fit stay text.
  yyjson_doc *read = yyjson_read_file(file->path, YYJSON_READ_BIGNUM_AS_RAW, NULL, NULL);
  yyjson_mut_doc *doc = yyjson_doc_mut_copy(read, NULL);
  yyjson_doc_free(read);
  yyjson_mut_val *cases = yyjson_mut_obj_get(yyjson_mut_doc_get_root(doc), "cases");
  for (size_t i = 0; i < list.count; i++) {
    if (list.cases[i].file == file) {
      update_case(&list.cases[i], doc, cases);
    }
  }
  yyjson_write_err error;
  const yyjson_write_flag flags = YYJSON_WRITE_PRETTY_TWO_SPACES | YYJSON_WRITE_NEWLINE_AT_END;
  bool written = yyjson_mut_write_file(file->path, doc, flags, NULL, &error);
  if (!written) {
    fprintf(stderr, "%s: %s\n", file->path, error.msg);
  }
  yyjson_mut_doc_free(doc);
  return written ? 0 : -1;
}

static int update(void) {
  int failed = 0;
  for (size_t i = 0; i < list.file_count; i++) {
    if (case_mutator(&list.files[i]) == NULL) {
      fprintf(stderr, "%s: no mutator is named %s\n", list.files[i].path, list.files[i].rule);
      failed = -1;
    } else {
      failed = update_file(&list.files[i]) != 0 ? -1 : failed;
    }
  }
  return failed;
}

START_TEST(writes_what_the_code_answers) {
  ck_assert_int_eq(update(), 0);
}
END_TEST

// ---- main ----

static void add_tests(TCase *tcase) {
  tcase_add_test(tcase, every_mutator_has_a_file);
  tcase_add_test(tcase, every_file_names_a_mutator);
  tcase_add_test(tcase, names_are_unique);
  tcase_add_loop_test(tcase, does_what_the_case_says, 0, (int)list.count);
  tcase_add_loop_test(tcase, answers_fully_or_not_at_all, 0, (int)list.count);
  tcase_add_loop_test(tcase, needs_room_for_the_whole_answer, 0, (int)list.count);
}

// The update is a test, too, because the helpers may only fail inside one.
static void add_update(TCase *tcase) {
  tcase_add_test(tcase, writes_what_the_code_answers);
}

int main(int argc, char **argv) {
  list = cases_load(&mutator_cases);
  arena = arena_new(ADMISSION_ARENA_FIRST, ADMISSION_ARENA_MAX);
  bool is_update = argc > 1 && strcmp(argv[1], "--update") == 0;
  int status = run_suite("mutators", is_update ? add_update : add_tests);
  arena_free(arena);
  cases_free(&list);
  return status;
}
