// The shared runner: every case of every validator.

#include "tests/validators/cases.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admission/rule.h"
#include "tests/unit/suite.h"
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

struct attempt {
  const struct rule_case *one;
  const struct admission_config *config;
  struct text body;
  struct verdict wanted;
};

static bool attempt_verdict(void *context, size_t allocation) {
  const struct attempt *attempt = context;
  struct verdict verdict = verdict_of(attempt->config, arena, attempt->body);
  bool is_short = verdict.status == ADMISSION_OUT_OF_MEMORY;
  if (!is_short) {
    const struct owned_text *wanted = &attempt->wanted.answer;
    ck_assert_msg(verdict.status == ADMISSION_ANSWERED && verdict.answer.len == wanted->len &&
                      memcmp(verdict.answer.data, wanted->data, wanted->len) == 0,
                  "%s: a different answer when allocation %zu fails: %s", attempt->one->name,
                  allocation, answer_text(&verdict));
  }
  verdict_free(&verdict);
  return is_short;
}

START_TEST(answers_fully_or_not_at_all) {
  const struct rule_case *one = &list.cases[_i];
  struct admission_config *config = case_config(one);
  struct owned_text body = case_body(one);
  struct attempt attempt = {one, config, owned_view(body),
                            verdict_of(config, arena, owned_view(body))};
  case_fail_allocations(one, arena, attempt_verdict, &attempt);
  verdict_free(&attempt.wanted);
  free(body.data);
  admission_config_free(config);
}
END_TEST

// ---- files and table ----

START_TEST(every_validator_has_a_file) {
  for (size_t i = 0; i < validator_count; i++) {
    cases_check_rule(&list, "validator", validators[i]->name);
  }
}
END_TEST

START_TEST(every_file_names_a_validator) {
  for (size_t i = 0; i < list.file_count; i++) {
    case_check_file(&list.files[i], "validator", case_validator(&list.files[i]) != NULL);
  }
}
END_TEST

START_TEST(names_are_unique) {
  cases_check_names(&list);
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

static void add_tests(TCase *tcase) {
  tcase_add_test(tcase, every_validator_has_a_file);
  tcase_add_test(tcase, every_file_names_a_validator);
  tcase_add_test(tcase, names_are_unique);
  tcase_add_test(tcase, every_file_has_both_outcomes);
  tcase_add_test(tcase, every_validator_explains_itself);
  tcase_add_loop_test(tcase, says_what_the_case_says, 0, (int)list.count);
  tcase_add_loop_test(tcase, answers_fully_or_not_at_all, 0, (int)list.count);
}

int main(void) {
  list = cases_load(&validator_cases);
  arena = arena_new(ADMISSION_ARENA_FIRST, ADMISSION_ARENA_MAX);
  int status = run_suite("validators", add_tests);
  arena_free(arena);
  cases_free(&list);
  return status;
}
