#include "server/request.h"

#include <string.h>

#include "tests/unit/suite.h"

#define BODY_MAX 10000
#define BUDGET 15000

static const char filler[BODY_MAX + 1];

static size_t in_flight(void) {
  buffer_auto text = {.max = (size_t)1 << 20};
  metrics_write(&text);
  static const struct text name = {"\nrayfix_request_bytes_in_flight ",
                                   sizeof "\nrayfix_request_bytes_in_flight " - 1};
  struct text all = {text.data, text.len};
  size_t at = text_find(all, name, 0) + name.len;
  size_t end = text_find(all, TEXT("\n"), at);
  unsigned long long bytes = 0;
  ck_assert(text_to_unsigned(text_slice(all, at, end), SIZE_MAX, &bytes));
  return (size_t)bytes;
}

START_TEST(a_body_is_charged_as_it_arrives) {
  struct request request = {0};
  request_begin(&request, METRICS_MUTATE, REFUSAL_NONE, BODY_MAX);
  ck_assert_uint_eq(in_flight(), 0);
  request_receive(&request, filler, 4000);
  request_receive(&request, filler, 6000);
  ck_assert_int_eq(request.refusal, REFUSAL_NONE);
  ck_assert(!request.too_large);
  ck_assert_uint_eq(request.body.len, BODY_MAX);
  ck_assert_uint_eq(in_flight(), BODY_MAX);
  request_end(&request);
  ck_assert_uint_eq(in_flight(), 0);
  request_end(&request);
  ck_assert_uint_eq(in_flight(), 0);
}
END_TEST

START_TEST(beyond_the_budget_the_body_is_dropped) {
  struct request first = {0};
  struct request second = {0};
  request_begin(&first, METRICS_MUTATE, REFUSAL_NONE, 0);
  request_begin(&second, METRICS_MUTATE, REFUSAL_NONE, 0);
  request_receive(&first, filler, BODY_MAX);
  request_receive(&second, filler, BUDGET - BODY_MAX);
  ck_assert_int_eq(second.refusal, REFUSAL_NONE);
  request_receive(&second, filler, 1);
  ck_assert_int_eq(second.refusal, REFUSAL_BYTES_IN_FLIGHT);
  ck_assert_uint_eq(in_flight(), BODY_MAX);
  request_receive(&second, filler, BODY_MAX);  // read on, not kept
  ck_assert_uint_eq(in_flight(), BODY_MAX);
  struct verdict verdict = request_judge(&second);
  ck_assert_int_eq(verdict.refusal, REFUSAL_BYTES_IN_FLIGHT);
  request_end(&second);
  request_end(&first);
  ck_assert_uint_eq(in_flight(), 0);
}
END_TEST

START_TEST(too_large_keeps_the_beginning) {
  static const char head[] =
      "{\"kind\":\"AdmissionReview\",\"apiVersion\":\"admission.k8s.io/v1\",\"request\":"
      "{\"uid\":\"the-uid\",";
  for (int announced = 0; announced < 2; announced++) {
    struct request request = {0};
    request_begin(&request, METRICS_MUTATE, REFUSAL_NONE, announced == 0 ? 0 : BODY_MAX + 1);
    request_receive(&request, head, sizeof head - 1);
    for (size_t sent = sizeof head - 1; sent <= 2 * BODY_MAX; sent += 1000) {
      request_receive(&request, filler, 1000);
    }
    ck_assert(request.too_large);
    ck_assert_uint_eq(request.body.len, 4096);
    ck_assert_uint_eq(in_flight(), 4096);
    struct verdict verdict = request_judge(&request);
    ck_assert_uint_eq(verdict.status, 200);
    struct text out = {verdict.out.data, verdict.out.len};
    ck_assert(text_contains(out, TEXT("\"the-uid\"")) && text_contains(out, TEXT("413")));
    buffer_free(&verdict.out);
    request_end(&request);
    ck_assert_uint_eq(in_flight(), 0);
  }
}
END_TEST

START_TEST(too_large_without_uid) {
  struct request request = {0};
  request_begin(&request, METRICS_MUTATE, REFUSAL_NONE, BODY_MAX + 1);
  request_receive(&request, filler, BODY_MAX);
  request_receive(&request, filler, 1);
  struct verdict verdict = request_judge(&request);
  ck_assert_uint_eq(verdict.status, 413);
  buffer_free(&verdict.out);
  request_end(&request);
}
END_TEST

static void add_tests(TCase *tests) {
  request_limits(BODY_MAX, BUDGET);
  tcase_add_test(tests, a_body_is_charged_as_it_arrives);
  tcase_add_test(tests, beyond_the_budget_the_body_is_dropped);
  tcase_add_test(tests, too_large_keeps_the_beginning);
  tcase_add_test(tests, too_large_without_uid);
}

int main(void) {
  return run_suite("request", add_tests);
}
