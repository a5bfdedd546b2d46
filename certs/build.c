#include "certs/build.h"

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <stdbool.h>
#include <stdio.h>

#include "certs/names.h"

// RFC 5280 §4.1.2.2: positive, unique, at most 20 octets.
#define SERIAL_BYTES 16

EVP_PKEY *certs_build_key(struct error *error) {
  EVP_PKEY *key = EVP_EC_gen("P-256");
  if (key == NULL) {
    certs_openssl_error(error, "cannot make an ECDSA P-256 key");
  }
  return key;
}

static bool set_serial(X509 *cert, unsigned char serial[SERIAL_BYTES]) {
  if (RAND_bytes(serial, SERIAL_BYTES) != 1) {
    return false;
  }
  serial[0] = (unsigned char)((serial[0] & 0x7f) | 0x40);  // positive, and always this long
  BIGNUM *number = BN_bin2bn(serial, SERIAL_BYTES, NULL);
  bool set = number != NULL && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(cert)) != NULL;
  BN_free(number);
  return set;
}

static bool set_dates(X509 *cert, time_t not_before, time_t not_after) {
  return ASN1_TIME_set(X509_getm_notBefore(cert), not_before) != NULL &&
         ASN1_TIME_set(X509_getm_notAfter(cert), not_after) != NULL;
}

static bool set_subject(X509 *cert, const char *common_name) {
  return X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC,
                                    (const unsigned char *)common_name, -1, -1, 0) == 1;
}

static bool add_extension(X509 *cert, X509 *issuer, int nid, const char *value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, cert, NULL, NULL, 0);
  X509V3_set_ctx_nodb(&context);
  X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
  bool added = extension != NULL && X509_add_ext(cert, extension, -1) == 1;
  X509_EXTENSION_free(extension);
  return added;
}

X509 *certs_build_ca(EVP_PKEY *key, time_t not_before, time_t not_after, struct error *error) {
  x509_auto *cert = X509_new();
  unsigned char serial[SERIAL_BYTES];
  if (cert == NULL || !set_serial(cert, serial)) {
    certs_openssl_error(error, "cannot make a CA certificate");
    return NULL;
  }
  // Its own name for each, so that two in one bundle are told apart.
  char name[64];
  snprintf(name, sizeof name, "rayfix CA %02x%02x%02x%02x", serial[0], serial[1], serial[2],
           serial[3]);
  if (X509_set_version(cert, X509_VERSION_3) != 1 || !set_dates(cert, not_before, not_after) ||
      !set_subject(cert, name) || X509_set_issuer_name(cert, X509_get_subject_name(cert)) != 1 ||
      X509_set_pubkey(cert, key) != 1 ||
      !add_extension(cert, cert, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") ||
      !add_extension(cert, cert, NID_key_usage, "critical,keyCertSign,cRLSign") ||
      !add_extension(cert, cert, NID_subject_key_identifier, "hash") ||
      X509_sign(cert, key, EVP_sha256()) == 0) {
    certs_openssl_error(error, "cannot make a CA certificate");
    return NULL;
  }
  X509 *result = cert;
  cert = NULL;
  return result;
}

X509 *certs_build_leaf(const struct certs_leaf *leaf, struct error *error) {
  general_names_auto *names = certs_names_build(leaf->names, error);
  if (names == NULL) {
    return NULL;
  }
  x509_auto *cert = X509_new();
  unsigned char serial[SERIAL_BYTES];
  if (cert == NULL || !set_serial(cert, serial) || X509_set_version(cert, X509_VERSION_3) != 1 ||
      !set_dates(cert, leaf->not_before, leaf->not_after) || !set_subject(cert, "rayfix") ||
      X509_set_issuer_name(cert, X509_get_subject_name(leaf->ca)) != 1 ||
      X509_set_pubkey(cert, leaf->key) != 1 ||
      !add_extension(cert, leaf->ca, NID_basic_constraints, "critical,CA:FALSE") ||
      !add_extension(cert, leaf->ca, NID_key_usage, "critical,digitalSignature") ||
      !add_extension(cert, leaf->ca, NID_ext_key_usage, "serverAuth") ||
      !add_extension(cert, leaf->ca, NID_subject_key_identifier, "hash") ||
      !add_extension(cert, leaf->ca, NID_authority_key_identifier, "keyid:always") ||
      X509_add1_ext_i2d(cert, NID_subject_alt_name, names, 0, 0) != 1 ||
      X509_sign(cert, leaf->ca_key, EVP_sha256()) == 0) {
    certs_openssl_error(error, "cannot make a serving certificate");
    return NULL;
  }
  X509 *result = cert;
  cert = NULL;
  return result;
}
