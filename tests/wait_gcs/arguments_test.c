#include "wait-gcs/arguments.h"

#include <string.h>

#include "tests/unit/suite.h"

#define ARGUMENTS_MAX 8

// Splits at spaces, as people write a command line; the program's name comes before it.
static int read_line(struct arguments *arguments, const char *line) {
  char copy[1024];
  char *argv[ARGUMENTS_MAX + 2] = {(char[]){"wait-gcs"}};
  int argc = 1;
  ck_assert_uint_lt(strlen(line), sizeof copy);
  memcpy(copy, line, strlen(line) + 1);
  for (char *at = copy; *at != '\0' && argc < ARGUMENTS_MAX;) {
    argv[argc++] = at;
    at += strcspn(at, " ");
    if (*at == ' ') {
      *at++ = '\0';
    }
  }
  return arguments_read(arguments, argc, argv);
}

START_TEST(what_the_rule_writes) {
  struct arguments arguments;
  ck_assert_int_eq(read_line(&arguments, "head.team-a.svc.cluster.local:6379 --mode=auto"), 0);
  ck_assert_str_eq(arguments.address, "head.team-a.svc.cluster.local:6379");
  ck_assert_str_eq(arguments.host, "head.team-a.svc.cluster.local");
  ck_assert_str_eq(arguments.port, "6379");
  ck_assert_int_eq(arguments.mode, WAIT_AUTO);
  ck_assert_int_eq(arguments.timeout, 0);
  ck_assert_int_eq(read_line(&arguments, "head:1 --mode=tls --timeout=90s"), 0);
  ck_assert_int_eq(arguments.mode, WAIT_TLS);
  ck_assert_int_eq(arguments.timeout, 90);
}
END_TEST

START_TEST(what_people_write) {
  struct arguments arguments;
  ck_assert_int_eq(read_line(&arguments, "--timeout 5m [2001:db8::1]:65535 --mode tcp"), 0);
  ck_assert_str_eq(arguments.address, "[2001:db8::1]:65535");
  ck_assert_str_eq(arguments.host, "2001:db8::1");
  ck_assert_str_eq(arguments.port, "65535");
  ck_assert_int_eq(arguments.mode, WAIT_TCP);
  ck_assert_int_eq(arguments.timeout, 300);
  ck_assert_int_eq(read_line(&arguments, "--timeout=1h 10.0.0.1:6379"), 0);
  ck_assert_int_eq(arguments.mode, WAIT_H2);
  ck_assert_int_eq(arguments.timeout, 3600);
  ck_assert_int_eq(read_line(&arguments, "-h"), 0);
  ck_assert(arguments.help);
}
END_TEST

START_TEST(what_is_refused) {
  const char *const bad[] = {
      "",
      "head",
      "head:",
      ":6379",
      "[]:6379",
      "head:0",
      "head:65536",
      "head:+1",
      "head:6379x",
      "head:99999999999999999999",
      "::1:6379",
      "[::1:6379",
      "head:6379 head:6380",
      "head:6379 --mode=udp",
      "head:6379 --mode=",
      "head:6379 --mode",
      "head:6379 --timeout=-1",
      "head:6379 --timeout=s",
      "head:6379 --timeout=1.5s",
      "head:6379 --timeout=1d",
      "head:6379 --timeout=30ss",
      "head:6379 --timeout=2147484s",
      "head:6379 --timeout=597h",
      "head:6379 --timeout=99999999999999999999",
      "head:6379 --verbose",
      "head:6379 -x",
  };
  struct arguments arguments;
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    ck_assert_msg(read_line(&arguments, bad[i]) != 0, "taken: %s", bad[i]);
  }
}
END_TEST

START_TEST(hosts_of_up_to_253_characters) {
  struct arguments arguments;
  char line[300];
  memset(line, 'a', sizeof line);
  memcpy(line + 253, ":65535", sizeof ":65535");
  ck_assert_int_eq(read_line(&arguments, line), 0);
  ck_assert_uint_eq(strlen(arguments.host), 253);
  memset(line, 'a', sizeof line);
  memcpy(line + 254, ":1", sizeof ":1");
  ck_assert_int_ne(read_line(&arguments, line), 0);
}
END_TEST

static void add_tests(TCase *tcase) {
  tcase_add_test(tcase, what_the_rule_writes);
  tcase_add_test(tcase, what_people_write);
  tcase_add_test(tcase, what_is_refused);
  tcase_add_test(tcase, hosts_of_up_to_253_characters);
}

int main(void) {
  return run_suite("wait-gcs arguments", add_tests);
}
