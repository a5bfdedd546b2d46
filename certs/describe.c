#include "certs/describe.h"

#include <arpa/inet.h>
#include <openssl/bn.h>
#include <openssl/err.h>
#include <stdio.h>
#include <string.h>

time_t certs_time(const ASN1_TIME *time) {
  struct tm parts = {0};
  return ASN1_TIME_to_tm(time, &parts) == 1 ? timegm(&parts) : -1;
}

struct certs_date certs_date(time_t time) {
  struct certs_date date = {{0}};
  struct tm parts;
  if (gmtime_r(&time, &parts) == NULL ||
      strftime(date.text, sizeof date.text, "%Y-%m-%dT%H:%M:%SZ", &parts) == 0) {
    snprintf(date.text, sizeof date.text, "an unknown time");
  }
  return date;
}

void certs_describe_name(const X509_NAME *name, char *text, size_t size) {
  bio_auto *bio = BIO_new(BIO_s_mem());
  text[0] = '\0';
  if (bio == NULL || X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253) < 0) {
    return;
  }
  const char *data = NULL;
  long len = BIO_get_mem_data(bio, &data);
  snprintf(text, size, "%.*s", (int)len, len > 0 ? data : "");
}

// Appends ", " and a name; false if there was no room for it.
static bool add_name(char *text, size_t size, const unsigned char *name, size_t len) {
  const char *separator = text[0] == '\0' ? "" : ", ";
  size_t used = strlen(text);
  if (used + strlen(separator) + len + sizeof ", ..." > size) {
    snprintf(text + used, size - used, "%s...", separator);
    return false;
  }
  used += (size_t)snprintf(text + used, size - used, "%s", separator);
  for (size_t i = 0; i < len; i++) {
    // Whoever made the certificate chose these bytes; they go to terminals and logs.
    text[used + i] = '?';
    if (name[i] > 0x20 && name[i] < 0x7f) {
      text[used + i] = (char)name[i];
    }
  }
  text[used + len] = '\0';
  return true;
}

static bool add_general_name(char *text, size_t size, const GENERAL_NAME *name) {
  int type = 0;
  const ASN1_STRING *value = GENERAL_NAME_get0_value(name, &type);
  if (type != GEN_DNS && type != GEN_IPADD) {
    return true;
  }
  const unsigned char *bytes = ASN1_STRING_get0_data(value);
  int len = ASN1_STRING_length(value);
  if (type == GEN_DNS) {
    return add_name(text, size, bytes, (size_t)len);
  }
  char address[INET6_ADDRSTRLEN] = "";
  if (len == 4 || len == 16) {
    inet_ntop(len == 4 ? AF_INET : AF_INET6, bytes, address, sizeof address);
  }
  return add_name(text, size, (const unsigned char *)address, strlen(address));
}

void certs_describe_sans(X509 *cert, char *text, size_t size) {
  text[0] = '\0';
  general_names_auto *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
  for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
    if (!add_general_name(text, size, sk_GENERAL_NAME_value(names, i))) {
      break;
    }
  }
}

static void describe_serial(const X509 *cert, char *text, size_t size) {
  text[0] = '\0';
  BIGNUM *number = ASN1_INTEGER_to_BN(X509_get0_serialNumber(cert), NULL);
  char *hex = number == NULL ? NULL : BN_bn2hex(number);
  if (hex != NULL) {
    snprintf(text, size, "%s", hex);
  }
  OPENSSL_free(hex);
  BN_free(number);
}

static void describe_fingerprint(const X509 *cert, char *text, size_t size) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned len = 0;
  text[0] = '\0';
  if (X509_digest(cert, EVP_sha256(), digest, &len) != 1) {
    return;
  }
  for (unsigned i = 0; i < len && 2 * i + 2 < size; i++) {
    snprintf(text + 2 * i, 3, "%02x", digest[i]);
  }
}

void certs_describe(X509 *leaf, struct certs_pair *pair) {
  pair->not_before = certs_time(X509_get0_notBefore(leaf));
  pair->not_after = certs_time(X509_get0_notAfter(leaf));
  certs_describe_name(X509_get_subject_name(leaf), pair->subject, sizeof pair->subject);
  certs_describe_name(X509_get_issuer_name(leaf), pair->issuer, sizeof pair->issuer);
  describe_serial(leaf, pair->serial, sizeof pair->serial);
  describe_fingerprint(leaf, pair->fingerprint, sizeof pair->fingerprint);
  certs_describe_sans(leaf, pair->names, sizeof pair->names);
  ERR_clear_error();
}
