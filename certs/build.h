#pragma once

#include <time.h>

#include "admission/text.h"
#include "certs/openssl.h"

// Making keys and certificates.

// How far notBefore lies back, so that a client whose clock is behind accepts the certificate at
// once: cert-controller and Kyverno take an hour too (protocol §5).
#define CERTS_BACKDATE_SECONDS 3600

// A new ECDSA P-256 key; NULL with an error.
EVP_PKEY *certs_build_key(struct error *error);

// A certificate that signs itself, for a CA that signs leaves only. New; NULL with an error.
X509 *certs_build_ca(EVP_PKEY *key, time_t not_before, time_t not_after, struct error *error);

struct certs_leaf {
  EVP_PKEY *key;
  X509 *ca;
  EVP_PKEY *ca_key;
  const struct text_list *names;  // DNS names and addresses besides the loopback ones; may be NULL
  time_t not_before;
  time_t not_after;
};

// A certificate for a TLS server. New; NULL with an error.
X509 *certs_build_leaf(const struct certs_leaf *leaf, struct error *error);
