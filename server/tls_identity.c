#include "server/tls_identity.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "server/settings.h"

struct tls_identity {
  atomic_int references;
  gnutls_certificate_credentials_t credentials;
  time_t not_after;
  bool asks_clients;
};

static pthread_mutex_t current_lock = PTHREAD_MUTEX_INITIALIZER;
static struct tls_identity *current;

#define PRIORITIES(versions)                                                    \
  "NONE:" versions                                                              \
  ":+AES-256-GCM:+AES-128-GCM:+CHACHA20-POLY1305:+AEAD:+ECDHE-ECDSA:+ECDHE-RSA" \
  ":+GROUP-X25519:+GROUP-SECP256R1:+GROUP-SECP384R1:+SIGN-ALL:-SIGN-RSA-SHA1"   \
  ":-SIGN-ECDSA-SHA1:%NO_TICKETS"

const char *tls_priorities(int min_version) {
  return min_version == TLS_1_2 ? PRIORITIES("+VERS-TLS1.3:+VERS-TLS1.2")
                                : PRIORITIES("+VERS-TLS1.3");
}

static gnutls_datum_t datum(char *bytes, size_t len) {
  return (gnutls_datum_t){(unsigned char *)bytes, (unsigned)len};
}

static int load_client_ca(struct tls_identity *identity, struct text file, struct error *error) {
  char path[4096];
  if (file.len >= sizeof path) {
    return error_set(error, "tls.clientCAFile: the path is longer than %zu bytes", sizeof path - 1);
  }
  snprintf(path, sizeof path, "%.*s", TEXT_ARG(file));
  int loaded =
      gnutls_certificate_set_x509_trust_file(identity->credentials, path, GNUTLS_X509_FMT_PEM);
  if (loaded < 0) {
    return error_set(error, "%s: %s", path, gnutls_strerror(loaded));
  }
  if (loaded == 0) {
    return error_set(error, "%s: no certificate in it", path);
  }
  identity->asks_clients = true;
  return 0;
}

struct tls_identity *tls_identity_new(const struct certs_pair *pair, struct text client_ca_file,
                                      struct error *error) {
  struct tls_identity *identity = calloc(1, sizeof *identity);
  if (identity == NULL || gnutls_certificate_allocate_credentials(&identity->credentials) < 0) {
    free(identity);
    error_set(error, "out of memory");
    return NULL;
  }
  atomic_init(&identity->references, 1);
  identity->not_after = pair->not_after;
  gnutls_datum_t chain = datum(pair->chain_pem, pair->chain_len);
  gnutls_datum_t key = datum(pair->key_pem, pair->key_len);
  int failed =
      gnutls_certificate_set_x509_key_mem(identity->credentials, &chain, &key, GNUTLS_X509_FMT_PEM);
  if (failed < 0) {
    error_set(error, "GnuTLS does not take the certificate: %s", gnutls_strerror(failed));
    tls_identity_unref(identity);
    return NULL;
  }
  if (client_ca_file.len > 0 && load_client_ca(identity, client_ca_file, error) != 0) {
    tls_identity_unref(identity);
    return NULL;
  }
  return identity;
}

struct tls_identity *tls_identity_ref(struct tls_identity *identity) {
  atomic_fetch_add(&identity->references, 1);
  return identity;
}

void tls_identity_unref(struct tls_identity *identity) {
  if (identity != NULL && atomic_fetch_sub(&identity->references, 1) == 1) {
    gnutls_certificate_free_credentials(identity->credentials);
    free(identity);
  }
}

int tls_identity_attach(struct tls_identity *identity, gnutls_session_t session) {
  if (gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, identity->credentials) < 0) {
    return -1;
  }
  // Asked for, not demanded: who has none still gets a readable answer (403).
  gnutls_certificate_server_set_request(
      session, identity->asks_clients ? GNUTLS_CERT_REQUEST : GNUTLS_CERT_IGNORE);
  return 0;
}

bool tls_identity_asks_clients(const struct tls_identity *identity) {
  return identity->asks_clients;
}

time_t tls_identity_expiry(const struct tls_identity *identity) {
  return identity->not_after;
}

gnutls_datum_t tls_identity_leaf(const struct tls_identity *identity) {
  gnutls_datum_t leaf = {NULL, 0};
  gnutls_certificate_get_crt_raw(identity->credentials, 0, 0, &leaf);
  return leaf;
}

struct tls_identity *tls_current(void) {
  pthread_mutex_lock(&current_lock);
  struct tls_identity *identity = current == NULL ? NULL : tls_identity_ref(current);
  pthread_mutex_unlock(&current_lock);
  return identity;
}

void tls_set_current(struct tls_identity *identity) {
  pthread_mutex_lock(&current_lock);
  struct tls_identity *old = current;
  current = identity;
  pthread_mutex_unlock(&current_lock);
  tls_identity_unref(old);
}
