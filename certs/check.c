#include "certs/check.h"

#include <openssl/err.h>
#include <stdio.h>

#include "certs/describe.h"

// NIST SP 800-131A and the CA/Browser Forum (Baseline Requirements 6.1.5): RSA from 2048 bits.
#define RSA_BITS_MIN 2048

// 112 bits of security for every key and signature, as RSA-2048 and SHA-256 have: refuses SHA-1,
// which Go's crypto/x509, and with it the API server, refuses too.
#define AUTH_LEVEL 2

bool certs_key_belongs(const X509 *cert, const EVP_PKEY *key) {
  bool belongs = X509_check_private_key(cert, key) == 1;
  ERR_clear_error();
  return belongs;
}

static int check_key(const struct certs_material *material, struct error *error) {
  if (certs_key_belongs(sk_X509_value(material->chain, 0), material->key)) {
    return 0;
  }
  for (int i = 1; i < sk_X509_num(material->chain); i++) {
    if (certs_key_belongs(sk_X509_value(material->chain, i), material->key)) {
      return error_set(error,
                       "%s: its key belongs to certificate %d; wanted that one, the leaf, "
                       "to stand first",
                       material->chain_path, i + 1);
    }
  }
  return error_set(error, "%s does not belong to the certificate in %s", material->key_path,
                   material->chain_path);
}

static int check_strength(const struct certs_material *material, struct error *error) {
  for (int i = 0; i < sk_X509_num(material->chain); i++) {
    const EVP_PKEY *key = X509_get0_pubkey(sk_X509_value(material->chain, i));
    if (key == NULL) {
      return certs_openssl_error(error, "%s: the public key of certificate %d cannot be used",
                                 material->chain_path, i + 1);
    }
    bool rsa = EVP_PKEY_is_a(key, "RSA") || EVP_PKEY_is_a(key, "RSA-PSS");
    if (rsa && EVP_PKEY_get_bits(key) < RSA_BITS_MIN) {
      return error_set(error, "%s: certificate %d has an RSA key of %d bits; wanted at least %d",
                       material->chain_path, i + 1, EVP_PKEY_get_bits(key), RSA_BITS_MIN);
    }
  }
  return 0;
}

static int check_dates(const struct certs_material *material, time_t now, struct error *error) {
  const X509 *leaf = sk_X509_value(material->chain, 0);
  time_t from = certs_time(X509_get0_notBefore(leaf));
  time_t until = certs_time(X509_get0_notAfter(leaf));
  if (now < from) {
    return error_set(error, "%s: not valid before %s; it is %s now", material->chain_path,
                     certs_date(from).text, certs_date(now).text);
  }
  // As OpenSSL does: the second itself is too late.
  if (now >= until) {
    return error_set(error, "%s: expired on %s; it is %s now", material->chain_path,
                     certs_date(until).text, certs_date(now).text);
  }
  return 0;
}

static bool covers(X509 *leaf, struct text name) {
  char address[64];
  snprintf(address, sizeof address, "%.*s", TEXT_ARG(name));
  ASN1_OCTET_STRING *bytes = name.len < sizeof address ? a2i_IPADDRESS(address) : NULL;
  bool covered = false;
  if (bytes != NULL) {
    covered = X509_check_ip_asc(leaf, address, 0) == 1;
  } else if (name.len > 0) {  // 0 would mean "up to the NUL"
    // RFC 9525 §6.3 and Go: the common name is not a name of the server.
    unsigned flags = X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS;
    covered = X509_check_host(leaf, name.data, name.len, flags, NULL) == 1;
  }
  ASN1_OCTET_STRING_free(bytes);
  ERR_clear_error();
  return covered;
}

static int check_names(const struct certs_material *material, const struct text_list *wanted,
                       struct error *error) {
  X509 *leaf = sk_X509_value(material->chain, 0);
  for (size_t i = 0; wanted != NULL && i < wanted->count; i++) {
    if (!covers(leaf, wanted->items[i])) {
      char names[512];
      certs_describe_sans(leaf, names, sizeof names);
      return error_set(error, "%s: not good for the name \"%.*s\"; it is for: %s",
                       material->chain_path, TEXT_ARG(wanted->items[i]),
                       names[0] == '\0' ? "no name at all (no subjectAltName)" : names);
    }
  }
  return 0;
}

static int check_purpose(const struct certs_material *material, struct error *error) {
  int fits = X509_check_purpose(sk_X509_value(material->chain, 0), X509_PURPOSE_SSL_SERVER, 0);
  ERR_clear_error();
  return fits == 1 ? 0
                   : error_set(error,
                               "%s: not for a TLS server; wanted serverAuth in its extended "
                               "key usage",
                               material->chain_path);
}

// Sets what verifying made of it.
static int chain_error(const struct certs_material *material, X509_STORE_CTX *context,
                       struct error *error) {
  char subject[256] = "?";
  const X509 *at = X509_STORE_CTX_get_current_cert(context);
  if (at != NULL) {
    certs_describe_name(X509_get_subject_name(at), subject, sizeof subject);
  }
  const char *reason = X509_verify_cert_error_string(X509_STORE_CTX_get_error(context));
  if (material->anchors == NULL) {
    return error_set(error,
                     "%s: the chain is broken, each certificate must be signed by the next: "
                     "%s (at %s)",
                     material->chain_path, reason, subject);
  }
  return error_set(error, "%s: does not chain up to %s: %s (at %s)", material->chain_path,
                   material->ca_path, reason, subject);
}

static int verify(const struct certs_material *material, X509_STORE_CTX *context, X509_STORE *store,
                  time_t now, struct error *error) {
  if (X509_STORE_CTX_init(context, store, sk_X509_value(material->chain, 0), material->chain) !=
      1) {
    return certs_openssl_error(error, "%s: cannot verify the chain", material->chain_path);
  }
  X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(context);
  X509_VERIFY_PARAM_set_time(param, now);
  X509_VERIFY_PARAM_set_auth_level(param, AUTH_LEVEL);
  // As Go does: whatever stands in ca.crt is trusted, also an intermediate or the leaf itself.
  if (X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_PARTIAL_CHAIN) != 1 ||
      X509_VERIFY_PARAM_set_purpose(param, X509_PURPOSE_SSL_SERVER) != 1) {
    return certs_openssl_error(error, "%s: cannot verify the chain", material->chain_path);
  }
  int verified = X509_verify_cert(context);
  ERR_clear_error();
  return verified == 1 ? 0 : chain_error(material, context, error);
}

static bool trust(X509_STORE *store, const struct certs_material *material) {
  if (material->anchors == NULL) {
    int last = sk_X509_num(material->chain) - 1;
    return X509_STORE_add_cert(store, sk_X509_value(material->chain, last)) == 1;
  }
  for (int i = 0; i < sk_X509_num(material->anchors); i++) {
    if (X509_STORE_add_cert(store, sk_X509_value(material->anchors, i)) != 1) {
      return false;
    }
  }
  return true;
}

static int check_chain(const struct certs_material *material, time_t now, struct error *error) {
  X509_STORE *store = X509_STORE_new();
  X509_STORE_CTX *context = X509_STORE_CTX_new();
  int result;
  if (store == NULL || context == NULL || !trust(store, material)) {
    result = certs_openssl_error(error, "%s: cannot verify the chain", material->chain_path);
  } else {
    result = verify(material, context, store, now, error);
  }
  X509_STORE_CTX_free(context);
  X509_STORE_free(store);
  return result;
}

int certs_check(const struct certs_material *material, const struct text_list *dns_names,
                time_t now, struct error *error) {
  // Verifying the chain would notice some of the others too, but its messages say less.
  if (check_key(material, error) != 0 || check_strength(material, error) != 0 ||
      check_dates(material, now, error) != 0 || check_names(material, dns_names, error) != 0 ||
      check_purpose(material, error) != 0) {
    return -1;
  }
  return check_chain(material, now, error);
}
