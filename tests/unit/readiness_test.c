#include "server/readiness.h"

#include <string.h>
#include <time.h>

#include "tests/unit/suite.h"

static void check_report(bool verbose, bool well, const char *wanted) {
  buffer_auto out = {.max = 4096};
  ck_assert_int_eq(readiness_report(verbose, &out), well);
  ck_assert_msg(out.len == strlen(wanted) && memcmp(out.data, wanted, out.len) == 0, "%.*s",
                (int)out.len, out.data);
}

START_TEST(ready_when_all_is_well) {
  check_report(false, false,
               "[-]certificate failed: not loaded\n"
               "[-]configuration failed: not loaded\n"
               "[-]serving failed: no TLS handshake with ourselves has succeeded yet\n"
               "[+]shutdown ok\nreadyz check failed\n");
  readiness_set(READINESS_CERTIFICATE, true);
  readiness_set(READINESS_CONFIGURATION, true);
  readiness_set(READINESS_SERVING, true);
  readiness_set_expiry((int64_t)time(NULL) + 3600);
  check_report(false, true, "ok");
  check_report(true, true,
               "[+]certificate ok\n[+]configuration ok\n[+]serving ok\n[+]shutdown ok\n"
               "readyz check passed\n");
  // An expired certificate is not served with a good conscience (protocol §5).
  readiness_set_expiry((int64_t)time(NULL) - 10);
  check_report(false, false,
               "[-]certificate failed: expired\n[+]configuration ok\n[+]serving ok\n"
               "[+]shutdown ok\nreadyz check failed\n");
  readiness_set_expiry((int64_t)time(NULL) + 3600);
  readiness_set(READINESS_SHUTDOWN, false);
  check_report(true, false,
               "[+]certificate ok\n[+]configuration ok\n[+]serving ok\n"
               "[-]shutdown failed: shutting down\nreadyz check failed\n");
}
END_TEST

static void add_tests(TCase *tests) {
  tcase_add_test(tests, ready_when_all_is_well);
}

int main(void) {
  return run_suite("readiness", add_tests);
}
