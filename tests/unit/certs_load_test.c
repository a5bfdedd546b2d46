#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "certs_support.h"

// Certificates as others make them, good and bad; certs_issue() could not make these.

struct identity {
  X509 *cert;
  EVP_PKEY *key;
};

struct profile {
  const char *subject;
  const char *names;  // subjectAltName as OpenSSL's configuration writes it; NULL for none
  const char *usage;  // extendedKeyUsage; NULL for none
  const char *constraints;
  unsigned rsa_bits;  // 0: P-256
  long from_days;     // relative to NOW
  long until_days;
  bool sha1;
  const struct identity *issuer;  // NULL: signs itself
};

// A test names only what differs from the usual.
#pragma GCC diagnostic ignored "-Woverride-init"

#define LEAF(...)                                        \
  (&(struct profile){.subject = "leaf",                  \
                     .names = "DNS:" NAME,               \
                     .usage = "serverAuth",              \
                     .constraints = "critical,CA:FALSE", \
                     .from_days = -1,                    \
                     .until_days = 90,                   \
                     __VA_ARGS__})
#define AUTHORITY(...)                                  \
  (&(struct profile){.subject = "authority",            \
                     .constraints = "critical,CA:TRUE", \
                     .from_days = -10,                  \
                     .until_days = 900,                 \
                     __VA_ARGS__})

static void extend(X509 *cert, X509 *issuer, int nid, const char *value) {
  if (value == NULL) {
    return;
  }
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, cert, NULL, NULL, 0);
  X509V3_set_ctx_nodb(&context);
  X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
  ck_assert_ptr_nonnull(extension);
  ck_assert_int_eq(X509_add_ext(cert, extension, -1), 1);
  X509_EXTENSION_free(extension);
}

static struct identity make(const struct profile *profile) {
  static long serial = 1;
  struct identity made = {
      .cert = X509_new(),
      .key = profile->rsa_bits == 0 ? EVP_EC_gen("P-256") : EVP_RSA_gen(profile->rsa_bits),
  };
  const struct identity *issuer = profile->issuer == NULL ? &made : profile->issuer;
  ck_assert(made.cert != NULL && made.key != NULL);
  X509_set_version(made.cert, X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(made.cert), serial++);
  ASN1_TIME_set(X509_getm_notBefore(made.cert), NOW + profile->from_days * DAY);
  ASN1_TIME_set(X509_getm_notAfter(made.cert), NOW + profile->until_days * DAY);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(made.cert), "CN", MBSTRING_UTF8,
                             (const unsigned char *)profile->subject, -1, -1, 0);
  X509_set_issuer_name(made.cert, X509_get_subject_name(issuer->cert));
  X509_set_pubkey(made.cert, made.key);
  extend(made.cert, issuer->cert, NID_basic_constraints, profile->constraints);
  extend(made.cert, issuer->cert, NID_subject_key_identifier, "hash");
  extend(made.cert, issuer->cert, NID_ext_key_usage, profile->usage);
  extend(made.cert, issuer->cert, NID_subject_alt_name, profile->names);
  ck_assert_int_gt(X509_sign(made.cert, issuer->key, profile->sha1 ? EVP_sha1() : EVP_sha256()), 0);
  return made;
}

static void drop(struct identity *identity) {
  X509_free(identity->cert);
  EVP_PKEY_free(identity->key);
}

static void put_chain(const char *name, const struct identity *const *chain) {
  FILE *file = fopen(in_dir(name), "w");
  ck_assert_ptr_nonnull(file);
  for (; *chain != NULL; chain++) {
    ck_assert_int_eq(PEM_write_X509(file, (*chain)->cert), 1);
  }
  fclose(file);
}

#define CHAIN(...) ((const struct identity *const[]){__VA_ARGS__, NULL})

static void put_key(const struct identity *identity, const EVP_CIPHER *cipher, bool traditional) {
  BIO *file = BIO_new_file(in_dir("tls.key"), "w");
  ck_assert_ptr_nonnull(file);
  char passphrase[] = "secret";
  int len = cipher == NULL ? 0 : 6;
  int written =
      traditional
          ? PEM_write_bio_PrivateKey_traditional(file, identity->key, cipher,
                                                 (unsigned char *)passphrase, len, NULL, NULL)
          : PEM_write_bio_PKCS8PrivateKey(file, identity->key, cipher, passphrase, len, NULL, NULL);
  ck_assert_int_eq(written, 1);
  BIO_free(file);
}

// A leaf that signs itself, as the only thing in the folder.
static void put_leaf(const struct profile *profile) {
  struct identity leaf = make(profile);
  put_chain("tls.crt", CHAIN(&leaf));
  put_key(&leaf, NULL, false);
  drop(&leaf);
}

START_TEST(self_signed_leaf_alone_loads) {
  put_leaf(LEAF(.names = "DNS:" NAME ",IP:10.0.0.1,email:a@b.c"));
  struct certs_pair *pair = load_at(NOW);
  ck_assert_str_eq(pair->names, NAME ", 10.0.0.1");
  ck_assert_str_eq(pair->subject, "CN=leaf");
  certs_pair_free(pair);
  char *itself = get_file("tls.crt");
  put_string("ca.crt", itself);  // as cert-manager's selfSigned issuer writes it
  certs_pair_free(load_at(NOW));
  free(itself);
}
END_TEST

START_TEST(absent_files) {
  refused_at(NOW, NULL, "tls.crt", "cannot open: No such file or directory");
  issue_into(dir);
  unlink(in_dir("tls.key"));
  refused_at(NOW, NULL, "tls.key", "cannot open: No such file or directory");
  struct error error;
  ck_assert_int_eq(certs_dir_check_readable(dir, &error), -1);
}
END_TEST

START_TEST(unreadable_file) {
  if (geteuid() == 0) {
    // Root reads everything; a link onto itself is a file that even root cannot open.
    issue_into(dir);
    unlink(in_dir("tls.key"));
    ck_assert_int_eq(symlink("tls.key", in_dir("tls.key")), 0);
    refused_at(NOW, NULL, "tls.key", "Too many levels of symbolic links");
    return;
  }
  issue_into(dir);
  chmod(in_dir("ca.crt"), 0);
  refused_at(NOW, NULL, "ca.crt", "Permission denied");
}
END_TEST

START_TEST(no_regular_file) {
  issue_into(dir);
  unlink(in_dir("tls.key"));
  ck_assert_int_eq(mkfifo(in_dir("tls.key"), 0600), 0);  // must not block
  refused_at(NOW, NULL, "tls.key", "not a regular file");
  unlink(in_dir("tls.crt"));
  ck_assert_int_eq(mkdir(in_dir("tls.crt"), 0700), 0);
  refused_at(NOW, NULL, "tls.crt", "not a regular file");
}
END_TEST

START_TEST(size_limit) {
  issue_into(dir);
  char *pem = get_file("tls.crt");
  char *padded = malloc(CERTS_FILE_MAX + 1);
  ck_assert_ptr_nonnull(padded);
  memset(padded, '\n', CERTS_FILE_MAX + 1);
  memcpy(padded, pem, strlen(pem));
  put_file("tls.crt", padded, CERTS_FILE_MAX);
  certs_pair_free(load_at(NOW));
  put_file("tls.crt", padded, CERTS_FILE_MAX + 1);
  refused_at(NOW, NULL, "tls.crt", "1048577 bytes; at most 1048576");
  free(padded);
  free(pem);
}
END_TEST

START_TEST(garbage_in_tls_crt) {
  issue_into(dir);
  char *pem = get_file("tls.crt");
  static const struct {
    const char *text;
    size_t len;
    const char *reason;
  } cases[] = {
      {"", 0, "no certificate in it"},
      {"hello", 5, "no certificate in it"},
      {"\0\0\xff\xfe", 4, "no certificate in it"},
      {"\x30\x82\x01\x00", 4, "no certificate in it"},
      {"-----BEGIN CERTIFICATE-----\n", 28, "damaged"},
      {"-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n", 59, "damaged"},
      {"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", 59, "damaged"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    put_file("tls.crt", cases[i].text, cases[i].len);
    refused_at(NOW, NULL, "tls.crt", cases[i].reason);
    struct error error;
    ck_assert_ptr_null(certs_pair_peek(dir, &error));
  }
  char *key = get_file("tls.key");
  put_string("tls.crt", key);
  refused_at(NOW, NULL, "tls.crt", "no certificate in it");
  free(key);
  free(pem);
}
END_TEST

// A writer that does not rename can be met at any byte.
START_TEST(every_cut_of_a_file_is_refused) {
  issue_into(dir);
  static const char *const files[] = {"tls.crt", "tls.key", "ca.crt"};
  for (size_t i = 0; i < 3; i++) {
    char *whole = get_file(files[i]);
    // The last byte is the newline; an empty ca.crt means "none".
    for (size_t len = i == 2 ? 1 : 0; len < strlen(whole) - 1; len += 7) {
      put_file(files[i], whole, len);
      refused_at(NOW, NULL, files[i], "");
    }
    put_string(files[i], whole);
    free(whole);
  }
  certs_pair_free(load_at(NOW));
}
END_TEST

START_TEST(garbage_in_tls_key) {
  issue_into(dir);
  put_string("tls.key", "hello");
  refused_at(NOW, NULL, "tls.key", "no private key in it");
  put_string("tls.key", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n");
  refused_at(NOW, NULL, "tls.key", "damaged");
  char *cert = get_file("tls.crt");
  put_string("tls.key", cert);
  refused_at(NOW, NULL, "tls.key", "no private key in it");
  free(cert);
}
END_TEST

START_TEST(empty_ca_is_none_and_garbage_is_refused) {
  issue_into(dir);
  put_string("ca.crt", "");
  certs_pair_free(load_at(NOW));
  put_string("ca.crt", "hello");
  refused_at(NOW, NULL, "ca.crt", "no certificate in it");
}
END_TEST

START_TEST(encrypted_keys_are_refused) {
  struct identity leaf = make(LEAF());
  put_chain("tls.crt", CHAIN(&leaf));
  put_key(&leaf, EVP_aes_128_cbc(), false);
  refused_at(NOW, NULL, "tls.key", "the key is encrypted");
  put_key(&leaf, EVP_aes_128_cbc(), true);
  refused_at(NOW, NULL, "tls.key", "the key is encrypted");
  put_key(&leaf, NULL, true);  // "BEGIN EC PRIVATE KEY"
  certs_pair_free(load_at(NOW));
  char *key = get_file("tls.key");
  char both[4096];  // as `openssl ecparam -genkey` writes it
  snprintf(both, sizeof both,
           "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n%s", key);
  put_string("tls.key", both);
  certs_pair_free(load_at(NOW));
  free(key);
  drop(&leaf);
}
END_TEST

START_TEST(key_of_another_certificate) {
  issue_into(dir);
  issue_into(in_dir("other"));
  ck_assert_int_eq(rename(in_dir("other/tls.key"), in_dir("tls.key")), 0);
  refused_at(NOW, NULL, "tls.key", "does not belong to the certificate in");
}
END_TEST

START_TEST(leaf_must_stand_first) {
  struct identity ca = make(AUTHORITY());
  struct identity leaf = make(LEAF(.issuer = &ca));
  put_chain("tls.crt", CHAIN(&ca, &leaf));
  put_key(&leaf, NULL, false);
  refused_at(NOW, NULL, "tls.crt", "belongs to certificate 2");
  drop(&leaf);
  drop(&ca);
}
END_TEST

START_TEST(chain_with_an_intermediate) {
  struct identity root = make(AUTHORITY(.subject = "root"));
  struct identity middle = make(AUTHORITY(.subject = "middle", .issuer = &root));
  struct identity leaf = make(LEAF(.issuer = &middle));
  struct identity stranger = make(AUTHORITY(.subject = "stranger"));
  put_key(&leaf, NULL, false);
  put_chain("tls.crt", CHAIN(&leaf, &middle));
  certs_pair_free(load_at(NOW));  // without ca.crt
  put_chain("ca.crt", CHAIN(&stranger, &root));
  struct certs_pair *pair = load_at(NOW);
  const char *second = strstr(pair->chain_pem + 1, "BEGIN CERTIFICATE");
  ck_assert_ptr_nonnull(second);
  ck_assert_ptr_nonnull(strstr(second + 1, "BEGIN CERTIFICATE"));
  certs_pair_free(pair);
  put_chain("ca.crt", CHAIN(&middle));  // whatever is in ca.crt is trusted
  certs_pair_free(load_at(NOW));
  put_chain("ca.crt", CHAIN(&stranger));
  refused_at(NOW, NULL, "tls.crt: does not chain up to", "ca.crt");
  put_chain("ca.crt", CHAIN(&root));
  put_chain("tls.crt", CHAIN(&leaf));
  refused_at(NOW, NULL, "tls.crt: does not chain up to", "unable to get local issuer");
  unlink(in_dir("ca.crt"));
  put_chain("tls.crt", CHAIN(&leaf, &stranger));
  refused_at(NOW, NULL, "tls.crt", "chain is broken, each certificate must be signed by the next");
  put_chain("tls.crt", CHAIN(&leaf, &middle, &stranger));
  refused_at(NOW, NULL, "tls.crt", "chain is broken");
  drop(&root);
  drop(&middle);
  drop(&leaf);
  drop(&stranger);
}
END_TEST

// The same name and another key: only the signature tells.
START_TEST(ca_of_the_same_name_that_did_not_sign) {
  struct identity ca = make(AUTHORITY());
  struct identity impostor = make(AUTHORITY());
  struct identity leaf = make(LEAF(.issuer = &ca));
  put_key(&leaf, NULL, false);
  put_chain("tls.crt", CHAIN(&leaf));
  put_chain("ca.crt", CHAIN(&impostor));
  refused_at(NOW, NULL, "tls.crt: does not chain up to", "signature failure");
  unlink(in_dir("ca.crt"));
  put_chain("tls.crt", CHAIN(&leaf, &impostor));
  refused_at(NOW, NULL, "tls.crt", "signature failure");
  drop(&ca);
  drop(&impostor);
  drop(&leaf);
}
END_TEST

START_TEST(issuer_that_is_no_ca_or_has_expired) {
  struct identity no_ca = make(AUTHORITY(.constraints = "critical,CA:FALSE"));
  struct identity expired = make(AUTHORITY(.subject = "old", .until_days = -1));
  struct identity by_no_ca = make(LEAF(.issuer = &no_ca));
  struct identity by_expired = make(LEAF(.issuer = &expired));
  put_key(&by_no_ca, NULL, false);
  put_chain("tls.crt", CHAIN(&by_no_ca));
  put_chain("ca.crt", CHAIN(&no_ca));
  refused_at(NOW, NULL, "tls.crt: does not chain up to", "invalid CA certificate");
  put_key(&by_expired, NULL, false);
  put_chain("tls.crt", CHAIN(&by_expired));
  put_chain("ca.crt", CHAIN(&expired));
  refused_at(NOW, NULL, "tls.crt: does not chain up to", "certificate has expired (at CN=old)");
  drop(&no_ca);
  drop(&expired);
  drop(&by_no_ca);
  drop(&by_expired);
}
END_TEST

START_TEST(dates_checked) {
  put_leaf(LEAF(.from_days = 1));
  refused_at(NOW, NULL, "tls.crt", "not valid before 2030-01-02T00:00:00Z; it is 2030-01-01T00");
  put_leaf(LEAF());
  certs_pair_free(load_at(NOW + 90 * DAY - 1));
  refused_at(NOW + 90 * DAY, NULL, "tls.crt", "expired on 2030-04-01T00:00:00Z; it is 2030-04");
  struct error error;
  struct certs_pair *pair = certs_pair_peek(dir, &error);  // expired, but it can be shown
  ck_assert_ptr_nonnull(pair);
  ck_assert_str_eq(pair->names, NAME);
  ck_assert_ptr_null(pair->key_pem);
  certs_pair_free(pair);
}
END_TEST

static void wants(const char *wanted, bool covered) {
  struct text item = text_of(wanted);
  struct text_list names = names_of(&item, 1);
  if (!covered) {
    refused_at(NOW, &names, "tls.crt", wanted);
    return;
  }
  struct error error = {{0}};
  struct certs_pair *pair = certs_pair_load(dir, &names, NOW, &error);
  ck_assert_msg(pair != NULL, "%s: %s", wanted, error.text);
  certs_pair_free(pair);
}

START_TEST(names_covered) {
  put_leaf(
      LEAF(.subject = "cn.example",
           .names = "DNS:a.example,DNS:*.wild.example,DNS:f*.x.example,IP:10.0.0.1,IP:fd00::1"));
  wants("a.example", true);
  wants("A.Example", true);
  wants("b.wild.example", true);
  wants("10.0.0.1", true);
  wants("fd00:0::1", true);
  wants("cn.example", false);  // the common name does not count
  wants("wild.example", false);
  wants("a.b.wild.example", false);
  wants("foo.x.example", false);
  wants("10.0.0.2", false);
  wants("", false);
  struct text items[] = {TEXT("a.example"), TEXT("missing.example")};
  struct text_list both = names_of(items, 2);
  refused_at(NOW, &both, "tls.crt",
             "not good for the name \"missing.example\"; it is for: a.example, *.wild.example");
  struct text_list none = names_of(NULL, 0);
  struct error error;
  struct certs_pair *pair = certs_pair_load(dir, &none, NOW, &error);
  ck_assert_ptr_nonnull(pair);
  certs_pair_free(pair);
  put_leaf(LEAF(.subject = NAME, .names = NULL));
  wants(NAME, false);
  both = names_of(items, 1);
  refused_at(NOW, &both, "tls.crt", "no name at all");
}
END_TEST

START_TEST(name_with_nul_is_not_cut) {
  put_leaf(LEAF(.names = "DNS:a"));
  struct text item = TEXT("a\0.example");
  struct text_list names = names_of(&item, 1);
  refused_at(NOW, &names, "tls.crt", "not good for the name");
}
END_TEST

START_TEST(many_names_are_cut_in_the_description) {
  char sans[4096] = "";
  size_t len = 0;
  for (int i = 0; i < 100; i++) {
    len += (size_t)snprintf(sans + len, sizeof sans - len, "DNS:n%d.many.example,", i);
  }
  snprintf(sans + len, sizeof sans - len, "DNS:" NAME);
  put_leaf(LEAF(.names = sans));
  struct certs_pair *pair = load_at(NOW);
  size_t used = strlen(pair->names);
  ck_assert_uint_gt(used, 900);
  ck_assert_str_eq(pair->names + used - 5, ", ...");
  certs_pair_free(pair);
}
END_TEST

START_TEST(usage_checked) {
  put_leaf(LEAF(.usage = "clientAuth"));
  refused_at(NOW, NULL, "tls.crt", "not for a TLS server");
  put_leaf(LEAF(.usage = NULL));
  certs_pair_free(load_at(NOW));
}
END_TEST

START_TEST(weak_keys_and_signatures) {
  put_leaf(LEAF(.rsa_bits = 1024));
  refused_at(NOW, NULL, "tls.crt", "RSA key of 1024 bits; wanted at least 2048");
  put_leaf(LEAF(.rsa_bits = 2048));
  certs_pair_free(load_at(NOW));
  struct identity ca = make(AUTHORITY());
  struct identity leaf = make(LEAF(.issuer = &ca, .sha1 = true));
  put_chain("tls.crt", CHAIN(&leaf));
  put_chain("ca.crt", CHAIN(&ca));
  put_key(&leaf, NULL, false);
  refused_at(NOW, NULL, "tls.crt", "signature digest algorithm too weak");
  drop(&leaf);
  drop(&ca);
}
END_TEST

START_TEST(strange_subject_is_escaped) {
  put_leaf(LEAF(.subject = "a\nb\x1b[31m\xc3\xa9"));
  struct certs_pair *pair = load_at(NOW);
  for (const char *at = pair->subject; *at != '\0'; at++) {
    ck_assert_int_ge(*at, 0x20);
    ck_assert_int_lt(*at, 0x7f);
  }
  certs_pair_free(pair);
}
END_TEST

START_TEST(empty_dir) {
  ck_assert(certs_dir_is_empty(dir));
  ck_assert(certs_dir_is_empty(in_dir("absent")));
  put_string("tls.key", "");
  ck_assert(!certs_dir_is_empty(dir));
  unlink(in_dir("tls.key"));
  ck_assert_int_eq(symlink("nowhere", in_dir("tls.crt")), 0);
  ck_assert(!certs_dir_is_empty(dir));
}
END_TEST

START_TEST(stamp_changes_when_a_file_is_replaced_or_rewritten) {
  ck_assert_uint_eq(certs_dir_stamp(dir), 0);
  issue_into(dir);
  unsigned long long first = certs_dir_stamp(dir);
  ck_assert_uint_ne(first, 0);
  ck_assert_uint_eq(certs_dir_stamp(dir), first);
  char *ca = get_file("ca.crt");
  put_string("new", ca);
  rename(in_dir("new"), in_dir("ca.crt"));
  unsigned long long second = certs_dir_stamp(dir);
  ck_assert_uint_ne(second, first);
  put_string("ca.crt", "short");
  unsigned long long third = certs_dir_stamp(dir);
  ck_assert_uint_ne(third, second);
  unlink(in_dir("ca.crt"));
  ck_assert_uint_ne(certs_dir_stamp(dir), third);
  free(ca);
}
END_TEST

// A Secret is mounted as tls.crt -> ..data/tls.crt and ..data -> ..2030_01_01; the kubelet swaps
// ..data by a rename.
START_TEST(symlink_swap_as_the_kubelet_does_it) {
  issue_into(in_dir("..one"));
  issue_into(in_dir("..two"));
  ck_assert_int_eq(symlink("..one", in_dir("..data")), 0);
  ck_assert_int_eq(symlink("..data/tls.crt", in_dir("tls.crt")), 0);
  ck_assert_int_eq(symlink("..data/tls.key", in_dir("tls.key")), 0);
  ck_assert_int_eq(symlink("..data/ca.crt", in_dir("ca.crt")), 0);
  unsigned long long stamp = certs_dir_stamp(dir);
  struct certs_pair *one = load_at(NOW);
  ck_assert_int_eq(symlink("..two", in_dir("..data_tmp")), 0);
  ck_assert_int_eq(rename(in_dir("..data_tmp"), in_dir("..data")), 0);
  ck_assert_uint_ne(certs_dir_stamp(dir), stamp);
  struct certs_pair *two = load_at(NOW);
  ck_assert_str_ne(one->fingerprint, two->fingerprint);
  certs_pair_free(one);
  certs_pair_free(two);
}
END_TEST

static void add_tests(TCase *tcase) {
  tcase_add_checked_fixture(tcase, dir_make, dir_remove);
  tcase_add_test(tcase, self_signed_leaf_alone_loads);
  tcase_add_test(tcase, absent_files);
  tcase_add_test(tcase, unreadable_file);
  tcase_add_test(tcase, no_regular_file);
  tcase_add_test(tcase, size_limit);
  tcase_add_test(tcase, garbage_in_tls_crt);
  tcase_add_test(tcase, every_cut_of_a_file_is_refused);
  tcase_add_test(tcase, garbage_in_tls_key);
  tcase_add_test(tcase, empty_ca_is_none_and_garbage_is_refused);
  tcase_add_test(tcase, encrypted_keys_are_refused);
  tcase_add_test(tcase, key_of_another_certificate);
  tcase_add_test(tcase, leaf_must_stand_first);
  tcase_add_test(tcase, chain_with_an_intermediate);
  tcase_add_test(tcase, ca_of_the_same_name_that_did_not_sign);
  tcase_add_test(tcase, issuer_that_is_no_ca_or_has_expired);
  tcase_add_test(tcase, dates_checked);
  tcase_add_test(tcase, names_covered);
  tcase_add_test(tcase, name_with_nul_is_not_cut);
  tcase_add_test(tcase, many_names_are_cut_in_the_description);
  tcase_add_test(tcase, usage_checked);
  tcase_add_test(tcase, weak_keys_and_signatures);
  tcase_add_test(tcase, strange_subject_is_escaped);
  tcase_add_test(tcase, empty_dir);
  tcase_add_test(tcase, stamp_changes_when_a_file_is_replaced_or_rewritten);
  tcase_add_test(tcase, symlink_swap_as_the_kubelet_does_it);
}

int main(void) {
  return run_suite("certs_load", add_tests);
}
