#include "admission/quantity.h"

#include "tests/unit/suite.h"

static struct quantity parsed(const char *text) {
  struct quantity quantity = {-77};
  ck_assert_msg(quantity_parse(text_of(text), &quantity), "%s was refused", text);
  return quantity;
}

static void assert_same(const char *a, const char *b) {
  ck_assert_msg(parsed(a).nano == parsed(b).nano, "%s and %s differ", a, b);
}

static void assert_less(const char *a, const char *b) {
  ck_assert_msg(parsed(a).nano < parsed(b).nano, "%s is not less than %s", a, b);
}

// semantics §7, trap 40 and 41
START_TEST(trap_40_and_41_units) {
  assert_same("16000m", "16");
  assert_same("16.0", "16");
  assert_same("1.6e1", "16");
  assert_less("16", "16001m");
  assert_same("65536Mi", "64Gi");
  assert_same("68719476736", "64Gi");
  assert_less("64Gi", "68.8G");
  assert_less("64Gi", "65Gi");
  assert_less("68.7G", "64Gi");
}
END_TEST

// semantics §7, trap 42. Kubernetes takes some texts without digits for 0:
// tests/quantity/README.md.
START_TEST(trap_42_grammar) {
  static const char *const good[] = {"1.",
                                     ".5",
                                     "+1",
                                     "-1",
                                     "1E",
                                     "1E3",
                                     "1e3",
                                     "1e+3",
                                     "1e-3",
                                     "0",
                                     "-0",
                                     "1n",
                                     "1u",
                                     "1m",
                                     "1k",
                                     "1M",
                                     "1Ei",
                                     "00012",
                                     "1234567890123456789012345678901234567890",
                                     "1e99999999999",
                                     ".",
                                     "+",
                                     "Ki",
                                     "e3"};
  static const char *const bad[] = {"",    " 1",       "1 ",    "K",     "1K",
                                    "1ki", "1KB",      "1Gii",  "Pi",    "1e",
                                    "1e+", "--1",      "1.2.3", ".e-10", "e-10",
                                    "1i",  "0x10",     "1_0",   "1e1.5", "1e99999999999999999999",
                                    "Ei",  "1\xc2\xb5"};
  for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
    parsed(good[i]);
  }
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    struct quantity quantity = {-77};
    ck_assert_msg(!quantity_parse(text_of(bad[i]), &quantity), "'%s' was accepted", bad[i]);
    ck_assert(quantity.nano == -77);
  }
  ck_assert(!quantity_parse((struct text){"1\0", 2}, &(struct quantity){0}));
  assert_less("1E3", "1E");
}
END_TEST

START_TEST(saturates_and_rounds) {
  int128 max = QUANTITY_MAX_UNITS * QUANTITY_NANO;
  ck_assert(parsed("9223372036854775807").nano == max);
  ck_assert(parsed("9223372036854775808").nano == max);
  ck_assert(parsed("1234567890123456789012345678901234567890").nano == max);
  ck_assert(parsed("8Ei").nano == max);
  ck_assert(parsed("-9999999Ei").nano == -max);
  ck_assert(parsed("1e2000000000").nano == max);
  ck_assert(parsed("0e2000000000").nano == 0);
  ck_assert(parsed("0.1n").nano == 1);  // away from zero
  ck_assert(parsed("-0.1n").nano == -1);
  ck_assert(parsed("1.0000000001").nano == QUANTITY_NANO + 1);
  ck_assert(parsed("0.5Ki").nano == 512 * QUANTITY_NANO);
  ck_assert(parsed("1e-2000000000").nano == 1);
  ck_assert(quantity_add(parsed("8Ei"), parsed("8Ei")).nano == max);
  ck_assert(quantity_times(parsed("2147483647"), 2147483647LL * 4).nano == max);
  ck_assert(quantity_times(parsed("-3"), 2).nano == -6 * QUANTITY_NANO);
}
END_TEST

START_TEST(formats) {
  static const char *const same[] = {"64Gi", "7629Mi", "16", "200m", "1500m", "0", "-5", "1Ei"};
  char text[QUANTITY_TEXT_MAX];
  for (size_t i = 0; i < sizeof same / sizeof same[0]; i++) {
    quantity_format(parsed(same[i]), text);
    ck_assert_str_eq(text, same[i]);
  }
  quantity_format(parsed("68719476736"), text);
  ck_assert_str_eq(text, "64Gi");
  quantity_format(parsed("0.0000001"), text);
  ck_assert(parsed(text).nano == 100);
}
END_TEST

static void add_tests(TCase *tcase) {
  tcase_add_test(tcase, trap_40_and_41_units);
  tcase_add_test(tcase, trap_42_grammar);
  tcase_add_test(tcase, saturates_and_rounds);
  tcase_add_test(tcase, formats);
}

int main(void) {
  return run_suite("quantity", add_tests);
}
