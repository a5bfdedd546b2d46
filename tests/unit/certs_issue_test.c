#include <errno.h>
#include <fcntl.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdatomic.h>

#include "certs_support.h"

static X509 *read_cert(const char *name) {
  FILE *file = fopen(in_dir(name), "r");
  ck_assert_ptr_nonnull(file);
  X509 *cert = PEM_read_X509(file, NULL, NULL, NULL);
  fclose(file);
  ck_assert_ptr_nonnull(cert);
  return cert;
}

static unsigned mode_of(const char *name) {
  struct stat status;
  ck_assert_int_eq(stat(in_dir(name), &status), 0);
  return (unsigned)status.st_mode & 0777;
}

START_TEST(issued_pair_loads_and_is_described) {
  issue_into(dir);
  struct certs_pair *pair = load_at(NOW);
  ck_assert_str_eq(pair->names, NAME ", localhost, 127.0.0.1, ::1");
  ck_assert_str_eq(pair->subject, "CN=rayfix");
  ck_assert_int_eq(strncmp(pair->issuer, "CN=rayfix CA ", 13), 0);
  ck_assert_int_eq(pair->not_before, NOW - 3600);
  ck_assert_int_eq(pair->not_after, NOW + 365 * DAY);
  ck_assert_uint_eq(strlen(pair->serial), 32);
  ck_assert_uint_eq(strlen(pair->fingerprint), 64);
  ck_assert_uint_eq(strlen(pair->chain_pem), pair->chain_len);
  ck_assert_uint_eq(strlen(pair->key_pem), pair->key_len);
  ck_assert_ptr_nonnull(strstr(pair->chain_pem, "BEGIN CERTIFICATE"));
  ck_assert_ptr_nonnull(strstr(pair->key_pem, "BEGIN PRIVATE KEY"));
  certs_pair_free(pair);
  certs_pair_free(NULL);
}
END_TEST

START_TEST(backdated_by_an_hour) {
  issue_into(dir);
  certs_pair_free(load_at(NOW - 3599));
  refused_at(NOW - 3601, NULL, "tls.crt", "not valid before 2029-12-31T23:00:00Z");
}
END_TEST

START_TEST(profile_of_ca_and_leaf) {
  issue_into(dir);
  X509 *ca = read_cert("ca.crt");
  X509 *leaf = read_cert("tls.crt");
  ck_assert_int_eq(X509_check_ca(ca), 1);
  ck_assert_int_eq(X509_get_pathlen(ca), 0);
  ck_assert_uint_eq(X509_get_key_usage(ca), KU_KEY_CERT_SIGN | KU_CRL_SIGN);
  ck_assert_ptr_nonnull(X509_get0_subject_key_id(ca));
  ck_assert_int_eq(X509_check_ca(leaf), 0);
  ck_assert_uint_eq(X509_get_key_usage(leaf), KU_DIGITAL_SIGNATURE);
  ck_assert_uint_eq(X509_get_extended_key_usage(leaf), XKU_SSL_SERVER);
  ck_assert_int_eq(
      ASN1_OCTET_STRING_cmp(X509_get0_authority_key_id(leaf), X509_get0_subject_key_id(ca)), 0);
  static const int critical[] = {NID_basic_constraints, NID_key_usage};
  for (size_t i = 0; i < 2; i++) {
    int at = X509_get_ext_by_NID(ca, critical[i], -1);
    ck_assert_int_ge(at, 0);
    ck_assert_int_eq(X509_EXTENSION_get_critical(X509_get_ext(ca, at)), 1);
  }
  char group[32] = "";
  ck_assert_int_eq(EVP_PKEY_get_group_name(X509_get0_pubkey(leaf), group, sizeof group, NULL), 1);
  ck_assert_str_eq(group, "prime256v1");
  ck_assert_int_eq(X509_get_signature_nid(leaf), NID_ecdsa_with_SHA256);
  ck_assert_int_eq(ASN1_INTEGER_cmp(X509_get0_serialNumber(ca), X509_get0_serialNumber(leaf)) != 0,
                   1);
  ck_assert_int_eq(ASN1_STRING_type(X509_get0_serialNumber(leaf)), V_ASN1_INTEGER);  // positive
  X509_free(ca);
  X509_free(leaf);
}
END_TEST

START_TEST(file_modes_do_not_depend_on_the_umask) {
  mode_t old = umask(0);
  issue_into(in_dir("made/for/it"));
  umask(0777);
  issue_into(dir);
  umask(old);
  ck_assert_uint_eq(mode_of("tls.key"), 0600);
  ck_assert_uint_eq(mode_of("ca.key"), 0600);
  ck_assert_uint_eq(mode_of("tls.crt"), 0644);
  ck_assert_uint_eq(mode_of("ca.crt"), 0644);
  ck_assert_uint_eq(mode_of("made"), 0700);
  ck_assert_uint_eq(mode_of("made/for/it"), 0700);
  ck_assert_uint_eq(mode_of("made/for/it/tls.key"), 0600);
}
END_TEST

START_TEST(second_issue_keeps_the_ca) {
  issue_into(dir);
  char *ca = get_file("ca.crt");
  char *leaf = get_file("tls.crt");
  char *key = get_file("tls.key");
  struct error error;
  ck_assert_int_eq(issue_for(dir, NOW + 100 * DAY, 3650, 365, &error), 0);
  char *ca_after = get_file("ca.crt");
  char *leaf_after = get_file("tls.crt");
  char *key_after = get_file("tls.key");
  ck_assert_str_eq(ca, ca_after);
  ck_assert_str_ne(leaf, leaf_after);
  ck_assert_str_ne(key, key_after);
  certs_pair_free(load_at(NOW + 100 * DAY));
  free(ca);
  free(leaf);
  free(key);
  free(ca_after);
  free(leaf_after);
  free(key_after);
}
END_TEST

// Issues again at `now`; true if the CA changed.
static bool ca_changes_at(time_t now, long ca_days, long leaf_days) {
  char *before = get_file("ca.crt");
  struct error error;
  ck_assert_msg(issue_for(dir, now, ca_days, leaf_days, &error) == 0, "%s", error.text);
  char *after = get_file("ca.crt");
  bool changed = strcmp(before, after) != 0;
  free(before);
  free(after);
  certs_pair_free(load_at(now));
  return changed;
}

START_TEST(ca_that_would_end_before_the_leaf_is_replaced) {
  issue_into(dir);
  ck_assert(!ca_changes_at(NOW + (3650 - 365) * DAY, 3650, 365));
  ck_assert(ca_changes_at(NOW + (3650 - 365) * DAY + 1, 3650, 365));
  ck_assert(ca_changes_at(NOW - 30 * DAY, 3650, 365));  // not valid yet
}
END_TEST

START_TEST(ca_whose_key_is_another_one_is_replaced) {
  issue_into(dir);
  issue_into(in_dir("other"));
  ck_assert_int_eq(rename(in_dir("other/ca.key"), in_dir("ca.key")), 0);
  ck_assert(ca_changes_at(NOW, 3650, 365));
}
END_TEST

START_TEST(key_of_an_interrupted_first_issue_is_replaced) {
  issue_into(dir);
  unlink(in_dir("ca.crt"));
  unlink(in_dir("tls.crt"));
  issue_into(dir);
  certs_pair_free(load_at(NOW));
}
END_TEST

START_TEST(leaf_does_not_outlive_its_ca) {
  struct error error;
  ck_assert_int_eq(issue_for(dir, NOW, 30, 365, &error), 0);
  struct certs_pair *pair = load_at(NOW);
  ck_assert_int_eq(pair->not_after, NOW + 30 * DAY);
  certs_pair_free(pair);
}
END_TEST

static void issue_is_refused(const char *reason) {
  char *before = get_file("tls.crt");
  struct error error = {{0}};
  ck_assert_int_eq(issue_for(dir, NOW, 3650, 365, &error), -1);
  ck_assert_msg(strstr(error.text, reason) != NULL, "\"%s\" lacks \"%s\"", error.text, reason);
  char *after = get_file("tls.crt");
  ck_assert_str_eq(before, after);
  free(before);
  free(after);
}

START_TEST(what_another_issuer_wrote_is_not_overwritten) {
  issue_into(dir);
  ck_assert_int_eq(rename(in_dir("ca.key"), in_dir("kept")), 0);
  issue_is_refused("ca.crt: is another issuer's");
  put_string("ca.key", "garbage");
  issue_is_refused("ca.key: no private key in it");
  ck_assert_int_eq(rename(in_dir("kept"), in_dir("ca.key")), 0);
  put_string("ca.crt", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
  issue_is_refused("ca.crt: certificate 1 in it is damaged");
  char *leaf = get_file("tls.crt");
  put_string("ca.crt", leaf);
  issue_is_refused("ca.crt: not the certificate of a CA");
  free(leaf);
}
END_TEST

START_TEST(a_killed_writer_leaves_nothing_that_matters) {
  put_string(".tls.key.new", "half a ke");
  put_string(".ca.crt.new", "");
  issue_into(dir);
  ck_assert_int_ne(access(in_dir(".tls.key.new"), F_OK), 0);
  ck_assert_int_ne(access(in_dir(".ca.crt.new"), F_OK), 0);
  certs_pair_free(load_at(NOW));
}
END_TEST

START_TEST(failing_write_leaves_the_old_pair) {
  issue_into(dir);
  // A folder under the name of the last temporary file: three are written, then it fails.
  ck_assert_int_eq(mkdir(in_dir(".tls.crt.new"), 0700), 0);
  char *key = get_file("tls.key");
  issue_is_refused("tls.crt: cannot write");
  char *key_after = get_file("tls.key");
  ck_assert_str_eq(key, key_after);
  ck_assert_int_ne(access(in_dir(".tls.key.new"), F_OK), 0);
  certs_pair_free(load_at(NOW));
  free(key);
  free(key_after);
}
END_TEST

START_TEST(folder_that_cannot_be_made) {
  put_string("file", "x");
  struct error error = {{0}};
  ck_assert_int_eq(issue_for(in_dir("file/below"), NOW, 3650, 365, &error), -1);
  ck_assert_ptr_nonnull(strstr(error.text, "file/below"));
  ck_assert_ptr_nonnull(strstr(error.text, "Not a directory"));
}
END_TEST

START_TEST(names_are_checked_and_stand_once) {
  struct text items[] = {TEXT("b.example"), TEXT("B.example"), TEXT("localhost"),
                         TEXT("10.1.2.3"),  TEXT("fd00::1"),   TEXT("*.ns.svc")};
  struct text_list names = names_of(items, 6);
  struct certs_request request = {
      .dns_names = &names, .now = NOW, .ca_seconds = DAY, .leaf_seconds = DAY};
  struct error error = {{0}};
  ck_assert_msg(certs_issue(dir, &request, &error) == 0, "%s", error.text);
  struct certs_pair *pair = certs_pair_load(dir, &names, NOW, &error);
  ck_assert_msg(pair != NULL, "%s", error.text);
  ck_assert_str_eq(pair->names,
                   "b.example, 10.1.2.3, fd00::1, *.ns.svc, localhost, 127.0.0.1, ::1");
  certs_pair_free(pair);
  static const struct text bad[] = {
      {"", 0},
      {"a b", 3},
      {"a..b", 4},
      {".a", 2},
      {"a.", 2},
      {"-a.b", 4},
      {"a-.b", 4},
      {"a_b", 3},
      {"a\0b", 3},
      {"*", 1},
      {"a.*.b", 5},
      {"\xc3\xa9", 2},
      {"0123456789012345678901234567890123456789012345678901234567890123", 64},
  };
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    ck_assert_msg(!certs_name_is_valid(bad[i]), "case %zu", i);
    names = names_of(&bad[i], 1);
    ck_assert_int_eq(certs_issue(dir, &request, &error), -1);
    ck_assert_ptr_nonnull(strstr(error.text, "neither a DNS name nor an IP address"));
  }
}
END_TEST

START_TEST(lifetime_must_be_positive) {
  struct error error = {{0}};
  ck_assert_int_eq(issue_for(dir, NOW, 0, 365, &error), -1);
  ck_assert_int_eq(issue_for(dir, NOW, 365, -1, &error), -1);
  ck_assert_ptr_nonnull(strstr(error.text, "at least a second"));
  ck_assert(certs_dir_is_empty(dir));
}
END_TEST

static atomic_bool writing;
static atomic_uint failed_issues;

static void *reissue(void *unused) {
  (void)unused;
  for (int i = 0; i < 40; i++) {
    // Another CA each time, so that all four files change.
    unlink(in_dir("ca.crt"));
    struct error error;
    if (issue_for(dir, NOW, 3650, 365, &error) != 0) {
      atomic_fetch_add(&failed_issues, 1);
    }
  }
  atomic_store(&writing, false);
  return NULL;
}

// What a caller does that keeps the old pair and tries again.
START_TEST(reader_beside_a_writer_gets_whole_pairs) {
  issue_into(dir);
  atomic_store(&writing, true);
  pthread_t writer;
  ck_assert_int_eq(pthread_create(&writer, NULL, reissue, NULL), 0);
  unsigned loaded = 0;
  while (atomic_load(&writing)) {
    struct error error;
    struct certs_pair *pair = certs_pair_load(dir, NULL, NOW, &error);
    loaded += pair != NULL;
    certs_pair_free(pair);
  }
  pthread_join(writer, NULL);
  ck_assert_uint_eq(atomic_load(&failed_issues), 0);
  ck_assert_uint_gt(loaded, 0);
  certs_pair_free(load_at(NOW));
}
END_TEST

static void add_tests(TCase *tcase) {
  tcase_add_checked_fixture(tcase, dir_make, dir_remove);
  tcase_add_test(tcase, issued_pair_loads_and_is_described);
  tcase_add_test(tcase, backdated_by_an_hour);
  tcase_add_test(tcase, profile_of_ca_and_leaf);
  tcase_add_test(tcase, file_modes_do_not_depend_on_the_umask);
  tcase_add_test(tcase, second_issue_keeps_the_ca);
  tcase_add_test(tcase, ca_that_would_end_before_the_leaf_is_replaced);
  tcase_add_test(tcase, ca_whose_key_is_another_one_is_replaced);
  tcase_add_test(tcase, key_of_an_interrupted_first_issue_is_replaced);
  tcase_add_test(tcase, leaf_does_not_outlive_its_ca);
  tcase_add_test(tcase, what_another_issuer_wrote_is_not_overwritten);
  tcase_add_test(tcase, a_killed_writer_leaves_nothing_that_matters);
  tcase_add_test(tcase, failing_write_leaves_the_old_pair);
  tcase_add_test(tcase, folder_that_cannot_be_made);
  tcase_add_test(tcase, names_are_checked_and_stand_once);
  tcase_add_test(tcase, lifetime_must_be_positive);
  tcase_add_test(tcase, reader_beside_a_writer_gets_whole_pairs);
}

int main(void) {
  return run_suite("certs_issue", add_tests);
}
