#include "cli/doctor.h"

#include <jansson.h>

#include "certs_support.h"
#include "cli/object.h"
#include "cluster/base64.h"

// The checks that need the clock or short memory; tests/cluster_api has the others, on objects.

struct selection_case {
  const char *selector;
  const char *labels;
  bool matches;
};

// The text with ' for ".
static json_t *json_of(const char *text) {
  char copy[1024];
  snprintf(copy, sizeof copy, "%s", text);
  for (char *at = copy; *at != '\0'; at++) {
    *at = *at == '\'' ? '"' : *at;
  }
  return json_loads(copy, JSON_DECODE_ANY, NULL);
}

START_TEST(selectors) {
  static const struct selection_case table[] = {
      {"null", "{}", true},
      {"{}", "null", true},
      {"{'matchLabels':{'a':'b'}}", "{'a':'b','c':'d'}", true},
      {"{'matchLabels':{'a':'b'}}", "{'a':'c'}", false},
      {"{'matchLabels':{'a':'b'}}", "null", false},
      {"{'matchLabels':{'a':''}}", "{'a':''}", true},
      {"{'matchExpressions':[{'key':'a','operator':'In','values':['b','c']}]}", "{'a':'c'}", true},
      {"{'matchExpressions':[{'key':'a','operator':'In','values':['b','c']}]}", "{'a':'d'}", false},
      {"{'matchExpressions':[{'key':'a','operator':'In','values':['b','c']}]}", "{}", false},
      {"{'matchExpressions':[{'key':'a','operator':'NotIn','values':['b']}]}", "{}", true},
      {"{'matchExpressions':[{'key':'a','operator':'NotIn','values':['b']}]}", "{'a':'b'}", false},
      {"{'matchExpressions':[{'key':'a','operator':'Exists'}]}", "{'a':''}", true},
      {"{'matchExpressions':[{'key':'a','operator':'Exists'}]}", "{}", false},
      {"{'matchExpressions':[{'key':'a','operator':'DoesNotExist'}]}", "{}", true},
      {"{'matchExpressions':[{'key':'a','operator':'DoesNotExist'}]}", "{'a':'b'}", false},
      {"{'matchExpressions':[{'key':'a','operator':'Odd'}]}", "{'a':'b'}", false},
      {"{'matchLabels':{'a':'b'},'matchExpressions':[{'key':'c','operator':'Exists'}]}",
       "{'a':'b'}", false},
  };
  for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
    json_auto_t *selector = json_of(table[i].selector);
    json_auto_t *labels = json_of(table[i].labels);
    ck_assert_msg(selector_matches(selector, labels) == table[i].matches, "row %zu: %s %s", i,
                  table[i].selector, table[i].labels);
  }
}
END_TEST

START_TEST(paths_of_objects) {
  json_auto_t *object = json_of("{'a':{'b':{'c':'x','n':5}},'s':'y'}");
  ck_assert_str_eq(object_string(object, "a.b.c"), "x");
  ck_assert_str_eq(object_string(object, "a.b.n"), "");
  ck_assert_str_eq(object_string(object, "a.x.c"), "");
  ck_assert_str_eq(object_string(object, "s.b"), "");
  ck_assert_str_eq(object_string(NULL, "s"), "");
  ck_assert_int_eq(object_integer(object, "a.b.n", 1), 5);
  ck_assert_int_eq(object_integer(object, "a.b.c", 1), 1);
}
END_TEST

// ---- with a certificate ----

static struct snapshot snapshot;
static struct finding_list findings;

// An installation whose certificate is valid from NOW - 1 h to NOW + `days` days.
static void begin(long days) {
  dir_make();
  struct text name = TEXT("rayfix.rayfix-system.svc");
  struct text_list names = {&name, 1};
  struct certs_request request = {&names, NOW, 400 * DAY, days * DAY};
  struct error error;
  ck_assert_int_eq(certs_issue(dir, &request, &error), 0);
  char *leaf = get_file("tls.crt");
  char *ca = get_file("ca.crt");
  buffer_auto leaf64 = {.max = 100000};
  buffer_auto ca64 = {.max = 100000};
  ck_assert(base64_encode(text_of(leaf), &leaf64) && base64_encode(text_of(ca), &ca64));
  free(leaf);
  free(ca);
  snapshot = (struct snapshot){.own_namespace = "rayfix-system",
                               .own_name = "rayfix",
                               .own_version = "0",
                               .cluster_uid = "",
                               .now = NOW};
  snapshot.certificate = json_pack("{s:{s:s}, s:{s:s%}}", "metadata", "name", "rayfix-certificates",
                                   "data", "tls.crt", leaf64.data, leaf64.len);
  snapshot.validating =
      json_pack("[{s:{s:s}, s:[{s:s, s:s, s:{s:s%, s:{s:s, s:s}}}]}]", "metadata", "name", "rayfix",
                "webhooks", "name", "x", "failurePolicy", "Fail", "clientConfig", "caBundle",
                ca64.data, ca64.len, "service", "name", "rayfix", "namespace", "rayfix-system");
  ck_assert_ptr_nonnull(snapshot.certificate);
  ck_assert_ptr_nonnull(snapshot.validating);
  findings = (struct finding_list){.arena = arena_new(1 << 16, 1 << 20)};
}

static void end(void) {
  json_decref(snapshot.certificate);
  json_decref(snapshot.validating);
  arena_free(findings.arena);
  dir_remove();
}

// The only finding, after both checks at this time; NULL if there is none.
static const struct finding_row *only(time_t now) {
  findings.count = 0;
  snapshot.now = now;
  doctor_check_certificate(&snapshot, &findings);
  doctor_check_bundles(&snapshot, &findings);
  ck_assert(!findings.failed);
  ck_assert_uint_le(findings.count, 1);
  return findings.count == 0 ? NULL : &findings.rows[0];
}

START_TEST(dates_of_the_certificate) {
  begin(100);
  ck_assert_ptr_null(only(NOW));
  ck_assert_ptr_null(only(NOW + 74 * DAY));
  const struct finding_row *row = only(NOW + 76 * DAY);
  ck_assert_ptr_nonnull(row);
  ck_assert_int_eq(row->severity, SEVERITY_WARNING);
  ck_assert_ptr_nonnull(strstr(row->what, "less than a quarter"));
  end();
}
END_TEST

// How many errors and warnings both checks give at this time.
static void counts(time_t now, size_t errors, const char *text) {
  findings.count = 0;
  snapshot.now = now;
  doctor_check_certificate(&snapshot, &findings);
  doctor_check_bundles(&snapshot, &findings);
  ck_assert_uint_eq(finding_count(&findings, SEVERITY_ERROR), errors);
  ck_assert_msg(strstr(findings.rows[0].what, text) != NULL, "%s", findings.rows[0].what);
}

START_TEST(expired_and_not_yet_valid) {
  begin(100);
  // The certificate itself, and what the API server makes of it.
  counts(NOW + 101 * DAY, 2, "the serving certificate has expired on 2030-04-11T");
  counts(NOW - 2 * DAY, 3, "valid only from");
  counts(NOW + 401 * DAY, 3, "has expired");
  ck_assert_ptr_nonnull(strstr(findings.rows[2].what, "its caBundle has expired on"));
  end();
}
END_TEST

START_TEST(a_bundle_that_is_not_ours_warns_early) {
  begin(100);
  snapshot.own_name = "another";
  json_decref(snapshot.certificate);
  snapshot.certificate = NULL;
  ck_assert_ptr_null(only(NOW + 369 * DAY));
  const struct finding_row *row = only(NOW + 371 * DAY);
  ck_assert_ptr_nonnull(row);
  ck_assert_int_eq(row->severity, SEVERITY_WARNING);
  ck_assert_ptr_nonnull(strstr(row->what, "its caBundle expires on"));
  end();
}
END_TEST

START_TEST(who_renews_is_named) {
  begin(100);
  ck_assert_ptr_nonnull(strstr(only(NOW + 76 * DAY)->fix, "logs deployment/rayfix"));
  snapshot.deployments = json_of(
      "[{'metadata':{'name':'rayfix','namespace':'rayfix-system'},"
      "'spec':{'template':{'spec':{'automountServiceAccountToken':false}}}}]");
  ck_assert(!doctor_server_has_token(&snapshot));
  ck_assert_ptr_nonnull(strstr(only(NOW + 76 * DAY)->fix, "cert-manager"));
  json_decref(snapshot.deployments);
  snapshot.deployments = NULL;
  end();
}
END_TEST

START_TEST(short_memory_is_told) {
  begin(100);
  snapshot.now = NOW + 401 * DAY;
  bool enough = false;
  for (size_t count = 0; !enough; count++) {
    ck_assert_uint_lt(count, 1000);
    arena_reset(findings.arena);
    findings = (struct finding_list){.arena = findings.arena};
    arena_fail_after(findings.arena, count);
    doctor_check(&snapshot, &findings);
    arena_fail_after(findings.arena, SIZE_MAX);
    enough = !findings.failed;
  }
  ck_assert_uint_ge(finding_count(&findings, SEVERITY_ERROR), 3);
  end();
}
END_TEST

START_TEST(control_characters_are_blanked) {
  struct finding_list list = {.arena = arena_new(1 << 12, 1 << 16)};
  ck_assert_str_eq(finding_text(&list, "a%sb", "\x1b[2J\n"), "a [2J b");
  arena_free(list.arena);
}
END_TEST

static void add_tests(TCase *tcase) {
  tcase_add_test(tcase, selectors);
  tcase_add_test(tcase, paths_of_objects);
  tcase_add_test(tcase, dates_of_the_certificate);
  tcase_add_test(tcase, expired_and_not_yet_valid);
  tcase_add_test(tcase, a_bundle_that_is_not_ours_warns_early);
  tcase_add_test(tcase, who_renews_is_named);
  tcase_add_test(tcase, short_memory_is_told);
  tcase_add_test(tcase, control_characters_are_blanked);
}

int main(void) {
  return run_suite("doctor", add_tests);
}
