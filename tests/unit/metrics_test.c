#include "server/metrics.h"

#include <stdio.h>
#include <string.h>

#include "server/prometheus.h"
#include "tests/unit/suite.h"

#define TEXT_MAX ((size_t)1 << 20)

// Does the text have this line?
static bool has_line(const struct buffer *text, const char *line) {
  struct text all = {text->data, text->len};
  size_t len = strlen(line);
  for (size_t at = 0; (at = text_find(all, text_of(line), at)) < all.len; at++) {
    bool starts = at == 0 || all.data[at - 1] == '\n';
    if (starts && at + len < all.len && all.data[at + len] == '\n') {
      return true;
    }
  }
  return false;
}

static void check_line(const char *line) {
  buffer_auto text = {.max = TEXT_MAX};
  metrics_write(&text);
  ck_assert(!text.failed);
  ck_assert_msg(has_line(&text, line), "no line \"%s\" in\n%.*s", line, (int)text.len, text.data);
}

START_TEST(decisions_are_counted) {
  static const char rule[] = "some-rule";
  metrics_add_rule(rule);
  metrics_add_rule("other-rule");
  const struct rule_report reports[] = {
      {.rule = "other-rule", .result = RULE_SKIPPED},
      {.rule = rule, .result = RULE_APPLIED, .operations = 3},
      {.rule = "nobody-knows-it", .result = RULE_APPLIED},
  };
  struct decision decision = {.operation = TEXT("UPDATE"),
                              .allowed = true,
                              .code = 200,
                              .patch_operations = 3,
                              .reports = reports,
                              .report_count = 3};
  metrics_decision(METRICS_MUTATE, &decision, 60000);
  decision.allowed = false;
  decision.code = 418;
  decision.operation = TEXT("PONDER");
  decision.report_count = 0;
  decision.patch_operations = 0;
  metrics_decision(METRICS_VALIDATE, &decision, 20000000000);
  const char *const wanted[] = {
      "rayfix_admission_requests_total{path=\"mutate\",operation=\"UPDATE\",allowed=\"true\","
      "code=\"200\"} 1",
      "rayfix_admission_requests_total{path=\"validate\",operation=\"other\",allowed=\"false\","
      "code=\"other\"} 1",
      "rayfix_rule_results_total{rule=\"some-rule\",result=\"applied\"} 1",
      "rayfix_rule_results_total{rule=\"other-rule\",result=\"skipped\"} 1",
      "rayfix_patch_operations_total 3",
      "rayfix_admission_duration_seconds_bucket{path=\"mutate\",le=\"5e-05\"} 0",
      "rayfix_admission_duration_seconds_bucket{path=\"mutate\",le=\"0.0001\"} 1",
      "rayfix_admission_duration_seconds_bucket{path=\"mutate\",le=\"+Inf\"} 1",
      "rayfix_admission_duration_seconds_sum{path=\"mutate\"} 6e-05",
      "rayfix_admission_duration_seconds_bucket{path=\"validate\",le=\"10\"} 0",
      "rayfix_admission_duration_seconds_bucket{path=\"validate\",le=\"+Inf\"} 1",
  };
  for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
    check_line(wanted[i]);
  }
}
END_TEST

START_TEST(answers_and_traffic_are_counted) {
  metrics_answer(METRICS_MUTATE, 200, 1000);
  metrics_answer(METRICS_MUTATE, 799, 1000);
  metrics_bytes_received(10);
  metrics_bytes_received(5);
  metrics_bytes_sent(7);
  metrics_shed(METRICS_SHED_OUT_OF_MEMORY);
  metrics_closed(METRICS_CLOSED_IDLE_TIMEOUT);
  metrics_requests_in_flight(3);
  metrics_requests_in_flight(-1);
  metrics_bytes_in_flight_set(99);
  metrics_connections_changed(4);
  const char *const wanted[] = {
      "controller_runtime_webhook_requests_total{webhook=\"/mutate\",code=\"200\"} 1",
      "controller_runtime_webhook_requests_total{webhook=\"/mutate\",code=\"other\"} 1",
      "controller_runtime_webhook_latency_seconds_count{webhook=\"/mutate\"} 2",
      "rayfix_request_bytes_total 15",
      "rayfix_response_bytes_total 7",
      "rayfix_requests_shed_total{reason=\"out_of_memory\"} 1",
      "rayfix_connections_closed_total{reason=\"idle_timeout\"} 1",
      "rayfix_requests_in_flight 2",
      "rayfix_request_bytes_in_flight 99",
      "rayfix_connections 4",
  };
  for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
    check_line(wanted[i]);
  }
}
END_TEST

START_TEST(a_failed_reload_keeps_the_time_of_the_last_good_one) {
  metrics_reloaded(METRICS_CONFIGURATION, true);
  check_line("rayfix_config_last_reload_successful 1");
  metrics_reloaded(METRICS_CONFIGURATION, false);
  check_line("rayfix_config_last_reload_successful 0");
  check_line("rayfix_certificate_last_reload_success_timestamp_seconds 0");
  buffer_auto text = {.max = TEXT_MAX};
  metrics_write(&text);
  ck_assert(!has_line(&text, "rayfix_config_last_reload_success_timestamp_seconds 0"));
  metrics_certificate_expiry_set(1826816860);
  check_line("rayfix_certificate_expiry_timestamp_seconds 1826816860");
}
END_TEST

START_TEST(label_values_are_escaped) {
  char escaped[16];
  prometheus_escape("a\"b\\c\nd", escaped, sizeof escaped);
  ck_assert_str_eq(escaped, "a\\\"b\\\\c\\nd");
  prometheus_escape("0123456789012345678", escaped, sizeof escaped);
  ck_assert_str_eq(escaped, "01234567890123");
}
END_TEST

static void add_tests(TCase *tests) {
  tcase_add_test(tests, decisions_are_counted);
  tcase_add_test(tests, answers_and_traffic_are_counted);
  tcase_add_test(tests, a_failed_reload_keeps_the_time_of_the_last_good_one);
  tcase_add_test(tests, label_values_are_escaped);
}

int main(void) {
  return run_suite("metrics", add_tests);
}
