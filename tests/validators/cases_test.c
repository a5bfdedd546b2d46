// The shared runner: every case of every validator.

#include "tests/validators/cases.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admission/rule.h"
#include "tests/validators/verdict.h"

static struct case_list list;
static struct arena *arena;

// ---- one case ----

// The answer, for messages of failed tests.
static const char *answer_text(const struct verdict *verdict) {
  return verdict->answer.data == NULL ? "nothing" : verdict->answer.data;
}

static void check_denial(const struct rule_case *one, const struct verdict *verdict) {
  ck_assert_msg(verdict->code == 403 && strcmp(verdict->reason, "Forbidden") == 0,
                "%s: code %d, reason %s", one->name, verdict->code, verdict->reason);
  char option[128];
  snprintf(option, sizeof option, "validators.%s.action", one->file->rule);
  ck_assert_msg(strstr(verdict->message, option) != NULL, "%s: does not say how to be exempted: %s",
                one->name, verdict->message);
  yyjson_val *wanted = case_expected(one, "denied");
  for (size_t i = 0; i < yyjson_arr_size(wanted); i++) {
    const char *words = yyjson_get_str(yyjson_arr_get(wanted, i));
    ck_assert_msg(words != NULL && strstr(verdict->message, words) != NULL,
                  "%s: wanted \"%s\", found %s", one->name, words, verdict->message);
  }
}

static void check_warnings(const struct rule_case *one, const struct verdict *verdict) {
  yyjson_val *wanted = case_expected(one, "warnings");
  ck_assert_msg(verdict->warning_count == yyjson_arr_size(wanted),
                "%s: wanted %zu warnings, found %zu: %s", one->name, yyjson_arr_size(wanted),
                verdict->warning_count, answer_text(verdict));
  for (size_t i = 0; i < verdict->warning_count; i++) {
    const char *words = yyjson_get_str(yyjson_arr_get(wanted, i));
    ck_assert_msg(words != NULL && strstr(verdict->warnings[i], words) != NULL,
                  "%s: wanted \"%s\", found \"%s\"", one->name, words, verdict->warnings[i]);
  }
}

static void check_paths(const struct rule_case *one, const struct verdict *verdict) {
  yyjson_val *wanted = case_expected(one, "paths");
  if (wanted == NULL) {
    return;
  }
  size_t count = yyjson_arr_size(wanted);
  for (size_t i = 0; i < verdict->violation_count && i < count; i++) {
    const char *path = yyjson_get_str(yyjson_arr_get(wanted, i));
    ck_assert_msg(path != NULL && strcmp(verdict->violations[i].path, path) == 0,
                  "%s: wanted path %s, found %s", one->name, path, verdict->violations[i].path);
  }
  ck_assert_msg(verdict->violation_count == count, "%s: wanted %zu paths, found %zu", one->name,
                count, verdict->violation_count);
}

START_TEST(says_what_the_case_says) {
  const struct rule_case *one = &list.cases[_i];
  struct admission_config *config = case_config(one);
  struct owned_text body = case_body(one);
  struct verdict verdict = verdict_of(config, arena, owned_view(body));
  ck_assert_msg(verdict.status == ADMISSION_ANSWERED, "%s: status %d", one->name,
                (int)verdict.status);
  ck_assert_msg(verdict.allowed == case_allowed(one), "%s: wanted %s, found %s", one->name,
                case_allowed(one) ? "allowed" : "denied", answer_text(&verdict));
  if (!verdict.allowed) {
    check_denial(one, &verdict);
  }
  check_warnings(one, &verdict);
  check_paths(one, &verdict);
  for (size_t i = 0; i < verdict.violation_count; i++) {
    ck_assert_str_eq(verdict.violations[i].rule, one->file->rule);
  }
  verdict_free(&verdict);
  free(body.data);
  admission_config_free(config);
}
END_TEST

// ---- memory runs out ----

// Some allocations are only attempts to do better, so one success does not mean that no later
// failure is noticed.
#define SUCCESSES_WANTED 8

static void check_allocation(const struct rule_case *one, const struct verdict *verdict,
                             const struct verdict *wanted, size_t allocation) {
  bool same = verdict->status == ADMISSION_ANSWERED && verdict->answer.len == wanted->answer.len &&
              memcmp(verdict->answer.data, wanted->answer.data, wanted->answer.len) == 0;
  ck_assert_msg(same || verdict->status == ADMISSION_OUT_OF_MEMORY,
                "%s: a different answer when allocation %zu fails: %s", one->name, allocation,
                answer_text(verdict));
}

START_TEST(answers_fully_or_not_at_all) {
  const struct rule_case *one = &list.cases[_i];
  struct admission_config *config = case_config(one);
  struct owned_text body = case_body(one);
  struct verdict wanted = verdict_of(config, arena, owned_view(body));
  size_t successes = 0;
  size_t failures = 0;
  for (size_t i = 0; successes < SUCCESSES_WANTED; i++) {
    arena_fail_after(arena, i);
    struct verdict verdict = verdict_of(config, arena, owned_view(body));
    check_allocation(one, &verdict, &wanted, i);
    bool failed = verdict.status == ADMISSION_OUT_OF_MEMORY;
    successes = failed ? 0 : successes + 1;
    failures += failed ? 1 : 0;
    verdict_free(&verdict);
  }
  arena_fail_after(arena, SIZE_MAX);
  ck_assert_msg(failures > 0, "%s: no allocation failed", one->name);
  verdict_free(&wanted);
  free(body.data);
  admission_config_free(config);
}
END_TEST

// ---- files and table ----

START_TEST(every_validator_has_a_file) {
  for (size_t i = 0; i < validator_count; i++) {
    size_t files = 0;
    for (size_t k = 0; k < list.file_count; k++) {
      files += strcmp(list.files[k].rule, validators[i]->name) == 0 ? 1U : 0U;
    }
    ck_assert_msg(files == 1, "validator %s has %zu files tests/validators/%s.json, wanted one",
                  validators[i]->name, files, validators[i]->name);
  }
}
END_TEST

START_TEST(every_file_names_a_validator) {
  for (size_t i = 0; i < list.file_count; i++) {
    const struct case_file *file = &list.files[i];
    char wanted[256];
    snprintf(wanted, sizeof wanted, "/%s.json", file->rule);
    ck_assert_msg(case_validator(file) != NULL, "%s: no validator is named %s", file->path,
                  file->rule);
    ck_assert_msg(text_ends_with(text_of(file->path), text_of(wanted)),
                  "%s: named after another rule than its \"rule\", %s", file->path, file->rule);
  }
}
END_TEST

START_TEST(names_are_unique) {
  for (size_t i = 0; i < list.count; i++) {
    for (size_t k = 0; k < i; k++) {
      ck_assert_msg(strcmp(list.cases[i].name, list.cases[k].name) != 0, "two cases are named %s",
                    list.cases[i].name);
    }
  }
}
END_TEST

// A rule that is never refused, or never passed, in its cases is not tested.
START_TEST(every_file_has_both_outcomes) {
  for (size_t k = 0; k < list.file_count; k++) {
    size_t silent = 0;
    size_t spoken = 0;
    for (size_t i = 0; i < list.count; i++) {
      const struct rule_case *one = &list.cases[i];
      bool clean = case_allowed(one) && yyjson_arr_size(case_expected(one, "warnings")) == 0;
      silent += one->file == &list.files[k] && clean ? 1U : 0U;
      spoken += one->file == &list.files[k] && !clean ? 1U : 0U;
    }
    ck_assert_msg(silent > 0 && spoken > 0, "%s: wants cases that pass and cases that do not",
                  list.files[k].path);
  }
}
END_TEST

START_TEST(every_validator_explains_itself) {
  for (size_t i = 0; i < validator_count; i++) {
    const struct validator *rule = validators[i];
    bool complete = rule->id != NULL && rule->name != NULL && rule->summary != NULL &&
                    rule->why != NULL && rule->source != NULL && rule->subjects != 0 &&
                    (rule->check != NULL || rule->check_change != NULL);
    ck_assert_msg(complete, "validator %s lacks something", rule->name);
    ck_assert_msg(strchr(rule->summary, '\n') == NULL, "%s: the summary is one line", rule->name);
  }
}
END_TEST

int main(void) {
  list = cases_load();
  arena = arena_new(ADMISSION_ARENA_FIRST, ADMISSION_ARENA_MAX);
  Suite *suite = suite_create("validators");
  TCase *files = tcase_create("files");
  tcase_add_test(files, every_validator_has_a_file);
  tcase_add_test(files, every_file_names_a_validator);
  tcase_add_test(files, names_are_unique);
  tcase_add_test(files, every_file_has_both_outcomes);
  tcase_add_test(files, every_validator_explains_itself);
  suite_add_tcase(suite, files);
  TCase *cases = tcase_create("cases");
  tcase_add_loop_test(cases, says_what_the_case_says, 0, (int)list.count);
  tcase_add_loop_test(cases, answers_fully_or_not_at_all, 0, (int)list.count);
  suite_add_tcase(suite, cases);
  SRunner *runner = srunner_create(suite);
  srunner_set_fork_status(runner, CK_NOFORK);
  srunner_run_all(runner, CK_NORMAL);
  int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  arena_free(arena);
  cases_free(&list);
  return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
