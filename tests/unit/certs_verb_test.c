#include <getopt.h>
#include <jansson.h>
#include <time.h>

#include "certs_support.h"
#include "cli/verb.h"

// `rayfix certs …` in this process, with stdout and stderr in files.

extern const struct verb verb_certs;

static char *out;
static char *err;

static void redirect(int fd, const char *name) {
  fflush(NULL);
  FILE *file = fopen(in_dir(name), "w");
  ck_assert_ptr_nonnull(file);
  dup2(fileno(file), fd);
  fclose(file);
}

#define RUN(...) run_verb((const char *const[]){"certs", __VA_ARGS__, NULL})

static int run_verb(const char *const *given) {
  char *argv[24] = {NULL};
  int argc = 0;
  for (; given[argc] != NULL; argc++) {
    argv[argc] = strdup(given[argc]);
  }
  char *copies[24];
  memcpy(copies, argv, sizeof argv);  // getopt_long reorders argv
  optind = 0;                         // and forgets its place in the last argv only when told so
  getopt(1, copies, "");
  int old_out = dup(STDOUT_FILENO);
  int old_err = dup(STDERR_FILENO);
  redirect(STDOUT_FILENO, "stdout");
  redirect(STDERR_FILENO, "stderr");
  int code = verb_certs.run(argc, argv);
  fflush(NULL);
  dup2(old_out, STDOUT_FILENO);
  dup2(old_err, STDERR_FILENO);
  close(old_out);
  close(old_err);
  free(out);
  free(err);
  out = get_file("stdout");
  err = get_file("stderr");
  for (int i = 0; i < argc; i++) {
    free(copies[i]);
  }
  return code;
}

static void start(void) {
  dir_make();
}

static void stop(void) {
  free(out);
  free(err);
  out = NULL;
  err = NULL;
  dir_remove();
}

static void has(const char *text, const char *part) {
  ck_assert_msg(strstr(text, part) != NULL, "\"%s\" lacks \"%s\"", text, part);
}

START_TEST(issue_says_what_it_wrote) {
  char where[PATH_MAX];  // in_dir() is called too often below for its own
  snprintf(where, sizeof where, "%s/new", dir);
  ck_assert_int_eq(RUN("issue", "--cert-dir", where, "--dns-name", "a.example", "--dns-name=b",
                       "--service", "hook", "--namespace", "ray"),
                   EXIT_FINE);
  ck_assert_str_eq(err, "");
  has(out, "wrote ");
  has(out, "/new/ca.key\n");
  has(out, "/new/ca.crt: CN=rayfix CA ");
  has(out, " for a.example, b, hook.ray.svc, localhost, 127.0.0.1, ::1\n");
  ck_assert_int_eq(access(in_dir("new/tls.key"), R_OK), 0);
  ck_assert_ptr_null(strstr(out, "kept"));
  ck_assert_int_eq(RUN("issue", "--cert-dir", where), EXIT_FINE);
  has(out, "kept ");
  // Without names, as `rayfix serve` without a configuration wants it.
  has(out, " for rayfix.rayfix-system.svc, localhost");
}
END_TEST

START_TEST(issue_days) {
  ck_assert_int_eq(RUN("issue", "--cert-dir", dir, "--days", "7", "--ca-days", "30"), EXIT_FINE);
  struct error error;
  struct certs_pair *pair = certs_pair_peek(dir, &error);
  ck_assert_ptr_nonnull(pair);
  ck_assert_int_eq(pair->not_after - pair->not_before, 7 * DAY + 3600);
  certs_pair_free(pair);
  ck_assert_int_eq(RUN("issue", "--cert-dir", dir, "--days", "60", "--ca-days", "40"), EXIT_FINE);
  has(err, "cut to the 40 days of --ca-days");
}
END_TEST

START_TEST(issue_into_what_is_no_folder) {
  put_string("file", "x");
  ck_assert_int_eq(RUN("issue", "--cert-dir", in_dir("file")), EXIT_IO);
  ck_assert_str_eq(out, "");
  has(err, "rayfix certs issue: ");
  has(err, "/file: cannot open the folder: Not a directory");
}
END_TEST

START_TEST(show_as_text) {
  ck_assert_int_eq(RUN("issue", "--cert-dir", dir), EXIT_FINE);
  ck_assert_int_eq(RUN("show", "--cert-dir", dir), EXIT_FINE);
  ck_assert_str_eq(err, "");
  has(out, "Subject:      CN=rayfix\n");
  has(out, "Issuer:       CN=rayfix CA ");
  has(out, "Names:        rayfix.rayfix-system.svc, localhost, 127.0.0.1, ::1\n");
  has(out, "Not before:   20");
  has(out, "Not after:    20");
  has(out, "Days left:    36");  // 365, or 364 when a second has passed
  has(out, "Fingerprint:  sha256:");
  has(out, "Servable:     yes\n");
}
END_TEST

static const char *member(const json_t *object, const char *key) {
  const char *value = json_string_value(json_object_get(object, key));
  ck_assert_msg(value != NULL, "no string \"%s\" in %s", key, out);
  return value;
}

START_TEST(show_as_json) {
  ck_assert_int_eq(RUN("issue", "--cert-dir", dir), EXIT_FINE);
  ck_assert_int_eq(
      RUN("show", "--cert-dir", dir, "-o", "json", "--service", "rayfix", "-n", "rayfix-system"),
      EXIT_FINE);
  json_t *shown = json_loads(out, JSON_REJECT_DUPLICATES, NULL);
  ck_assert_msg(shown != NULL, "%s", out);
  ck_assert(json_is_true(json_object_get(shown, "servable")));
  ck_assert_ptr_null(json_object_get(shown, "reason"));
  ck_assert_str_eq(member(shown, "subject"), "CN=rayfix");
  ck_assert_uint_eq(strlen(member(shown, "sha256Fingerprint")), 64);
  ck_assert_uint_eq(strlen(member(shown, "notAfter")), 20);
  ck_assert_int_ge(json_integer_value(json_object_get(shown, "daysLeft")), 364);
  const json_t *names = json_object_get(shown, "names");
  ck_assert_uint_eq(json_array_size(names), 4);
  ck_assert_str_eq(json_string_value(json_array_get(names, 3)), "::1");
  json_decref(shown);
}
END_TEST

START_TEST(show_what_is_not_servable) {
  ck_assert_int_eq(RUN("issue", "--cert-dir", dir), EXIT_FINE);
  ck_assert_int_eq(RUN("show", "--cert-dir", dir, "--dns-name", "else.example"), EXIT_DENIED);
  has(out, "Subject:      CN=rayfix\n");
  has(out, "Servable:     no: ");
  has(out, "not good for the name \"else.example\"");
  struct error error;
  unlink(in_dir("ca.crt"));
  unlink(in_dir("ca.key"));
  ck_assert_int_eq(issue_for(dir, time(NULL) - 10 * DAY, 30, 9, &error), 0);
  ck_assert_int_eq(RUN("show", "--cert-dir", dir, "--output=json"), EXIT_DENIED);
  json_t *shown = json_loads(out, 0, NULL);
  ck_assert(json_is_false(json_object_get(shown, "servable")));
  has(member(shown, "reason"), "expired on ");
  ck_assert_int_lt(json_integer_value(json_object_get(shown, "daysLeft")), 0);
  json_decref(shown);
  put_string("tls.crt", "garbage");
  ck_assert_int_eq(RUN("show", "--cert-dir", dir), EXIT_DENIED);
  has(out, "Servable:     no: ");
  ck_assert_int_eq(RUN("show", "--cert-dir", dir, "-ojson"), EXIT_DENIED);
  shown = json_loads(out, 0, NULL);
  has(member(shown, "reason"), "no certificate in it");
  json_decref(shown);
}
END_TEST

START_TEST(show_what_cannot_be_read) {
  ck_assert_int_eq(RUN("show", "--cert-dir", in_dir("absent")), EXIT_IO);
  ck_assert_str_eq(out, "");
  has(err, "/absent/tls.crt: cannot open: No such file or directory");
  ck_assert_int_eq(RUN("issue", "--cert-dir", dir), EXIT_FINE);
  unlink(in_dir("tls.key"));
  ck_assert_int_eq(RUN("show", "--cert-dir", dir), EXIT_IO);
  has(err, "/tls.key: cannot open");
}
END_TEST

START_TEST(wrong_flags) {
  ck_assert_int_eq(run_verb((const char *const[]){"certs", NULL}), EXIT_USAGE);
  has(err, "wanted issue or show");
  ck_assert_int_eq(RUN("renew"), EXIT_USAGE);
  has(err, "\"renew\" is neither issue nor show");
  ck_assert_int_eq(RUN("issue", "--service", "a"), EXIT_USAGE);
  has(err, "--service and --namespace must be given together");
  ck_assert_int_eq(RUN("issue", "-n", "a"), EXIT_USAGE);
  ck_assert_int_eq(RUN("issue", "--dns-name", "a b"), EXIT_USAGE);
  has(err, "\"a b\" is neither a DNS name nor an IP address");
  ck_assert_int_eq(RUN("issue", "--cert-dir", ""), EXIT_USAGE);
  ck_assert_int_eq(RUN("show", "-o", "yaml"), EXIT_USAGE);
  ck_assert_int_eq(RUN("show", "--days", "3"), EXIT_USAGE);
  ck_assert_int_eq(RUN("issue", "extra"), EXIT_USAGE);
  static const char *const days[] = {"0", "-1", "", "x", "1.5", "36501", "99999999999999999999"};
  for (size_t i = 0; i < sizeof days / sizeof days[0]; i++) {
    ck_assert_int_eq(RUN("issue", "--cert-dir", dir, "--days", days[i]), EXIT_USAGE);
    has(err, "is no number of days from 1 to 36500");
    ck_assert_int_eq(RUN("issue", "--cert-dir", dir, "--ca-days", days[i]), EXIT_USAGE);
  }
  ck_assert(certs_dir_is_empty(dir));
}
END_TEST

START_TEST(help_has_an_example) {
  ck_assert_int_eq(RUN("-h"), EXIT_FINE);
  has(out, "Example:\n  rayfix certs issue");
  ck_assert_int_eq(RUN("issue", "--help"), EXIT_FINE);
  has(out, "Example:\n  rayfix certs issue");
  ck_assert_int_eq(RUN("show", "--help"), EXIT_FINE);
  has(out, "Example:\n  rayfix certs show");
  ck_assert_str_eq(err, "");
}
END_TEST

static void add_tests(TCase *tcase) {
  tcase_add_checked_fixture(tcase, start, stop);
  tcase_add_test(tcase, issue_says_what_it_wrote);
  tcase_add_test(tcase, issue_days);
  tcase_add_test(tcase, issue_into_what_is_no_folder);
  tcase_add_test(tcase, show_as_text);
  tcase_add_test(tcase, show_as_json);
  tcase_add_test(tcase, show_what_is_not_servable);
  tcase_add_test(tcase, show_what_cannot_be_read);
  tcase_add_test(tcase, wrong_flags);
  tcase_add_test(tcase, help_has_an_example);
}

int main(void) {
  return run_suite("certs_verb", add_tests);
}
