#include "server/client_auth.h"

#include <gnutls/x509.h>
#include <stdint.h>

// Longer names are not compared and so never allowed.
#define NAME_MAX_BYTES 512

static bool chain_is_valid(gnutls_session_t session, struct error *error) {
  gnutls_typed_vdata_st purpose = {.type = GNUTLS_DT_KEY_PURPOSE_OID,
                                   .data = (unsigned char *)(uintptr_t)GNUTLS_KP_TLS_WWW_CLIENT};
  unsigned status = 0;
  int failed = gnutls_certificate_verify_peers(session, &purpose, 1, &status);
  if (failed == GNUTLS_E_NO_CERTIFICATE_FOUND) {
    error_set(error, "a client certificate is required");
    return false;
  }
  if (failed < 0) {
    error_set(error, "the client certificate cannot be checked: %s", gnutls_strerror(failed));
    return false;
  }
  if (status != 0) {
    gnutls_datum_t text = {NULL, 0};
    gnutls_certificate_verification_status_print(status, GNUTLS_CRT_X509, &text, 0);
    error_set(error, "the client certificate is refused: %s",
              text.data == NULL ? "invalid" : (const char *)text.data);
    gnutls_free(text.data);
    return false;
  }
  return true;
}

// Names of a client's certificate that are looked at: any honest one has a handful.
#define CLIENT_NAMES_MAX 100

static bool name_is_allowed(gnutls_x509_crt_t leaf, const struct text_list *names) {
  char name[NAME_MAX_BYTES];
  size_t len = sizeof name;
  if (gnutls_x509_crt_get_dn_by_oid(leaf, GNUTLS_OID_X520_COMMON_NAME, 0, 0, name, &len) >= 0 &&
      text_list_contains(names, (struct text){name, len})) {
    return true;
  }
  for (unsigned i = 0; i < CLIENT_NAMES_MAX; i++) {
    len = sizeof name;
    int type = gnutls_x509_crt_get_subject_alt_name(leaf, i, name, &len, NULL);
    if (type == GNUTLS_SAN_DNSNAME && text_list_contains(names, (struct text){name, len})) {
      return true;
    }
    if (type == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE) {
      return false;
    }
  }
  return false;
}

bool client_is_allowed(gnutls_session_t session, const struct text_list *names,
                       struct error *error) {
  if (!chain_is_valid(session, error)) {
    return false;
  }
  if (names->count == 0) {
    return true;
  }
  unsigned count = 0;
  const gnutls_datum_t *chain = gnutls_certificate_get_peers(session, &count);
  gnutls_x509_crt_t leaf = NULL;
  if (chain == NULL || count == 0 || gnutls_x509_crt_init(&leaf) < 0) {
    error_set(error, "a client certificate is required");
    return false;
  }
  bool allowed = gnutls_x509_crt_import(leaf, &chain[0], GNUTLS_X509_FMT_DER) >= 0 &&
                 name_is_allowed(leaf, names);
  gnutls_x509_crt_deinit(leaf);
  if (!allowed) {
    error_set(error, "the client certificate's name is not in tls.clientNames");
  }
  return allowed;
}
