#include "server/address.h"

#include <string.h>

#include "tests/unit/suite.h"

static void check_opens(const char *address, const char *start_of_name) {
  struct listener listener;
  struct error error;
  int opened = listener_open(text_of(address), &listener, &error);
  ck_assert_msg(opened == 0, "%s", error.text);
  ck_assert_msg(strncmp(listener.name, start_of_name, strlen(start_of_name)) == 0, "%s",
                listener.name);
  ck_assert_msg(strcmp(listener.name + strlen(start_of_name), "0") != 0, "%s", listener.name);
  listener_close(&listener);
  ck_assert_int_eq(listener.fd, -1);
  listener_close(&listener);
}

START_TEST(good_addresses) {
  check_opens("127.0.0.1:0", "127.0.0.1:");
  check_opens("localhost:0", "");
  check_opens(":0", "");
}
END_TEST

START_TEST(bad_addresses) {
  const char *const bad[] = {
      "",     "9443",   ":",     "127.0.0.1", "127.0.0.1:", ":x",          ":65536",        ":-1",
      ": 80", "::1:80", "[::1]", "[::1:80",   "1.2.3:x",    "256.0.0.1:1", "no such host:1"};
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    struct listener listener;
    struct error error = {""};
    ck_assert_msg(listener_open(text_of(bad[i]), &listener, &error) == -1, "\"%s\"", bad[i]);
    ck_assert_msg(strstr(error.text, bad[i]) != NULL, "%s", error.text);
  }
}
END_TEST

START_TEST(address_in_use) {
  struct listener first;
  struct listener second;
  struct error error;
  ck_assert_int_eq(listener_open(TEXT("127.0.0.1:0"), &first, &error), 0);
  ck_assert_int_eq(listener_open(text_of(first.name), &second, &error), -1);
  ck_assert_ptr_nonnull(strstr(error.text, first.name));
  ck_assert_ptr_nonnull(strstr(error.text, "in use"));
  listener_close(&first);
}
END_TEST

static void add_tests(TCase *tests) {
  tcase_add_test(tests, good_addresses);
  tcase_add_test(tests, bad_addresses);
  tcase_add_test(tests, address_in_use);
}

int main(void) {
  return run_suite("address", add_tests);
}
