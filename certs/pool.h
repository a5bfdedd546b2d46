#pragma once

#include "certs/openssl.h"
#include "certs/secret.h"

// The inside of certs/secret.h: certificates by fingerprint.

struct rotation_id certs_id_of(const X509 *cert);

// Adds a certificate, of which the pool takes a reference of its own; fills *ret_ca.
int certs_pool_add(struct certs_pool *pool, X509 *cert, struct rotation_ca *ret_ca);

// Borrowed; NULL if it is not there. certs_pool_find() is for looking only.
X509 *certs_pool_get(const struct certs_pool *pool, const struct rotation_id *id);
const X509 *certs_pool_find(const struct certs_pool *pool, const struct rotation_id *id);

// A new stack with references of its own, of those of `cas` that are there; NULL when memory is
// short.
STACK_OF(X509) * certs_pool_stack(const struct certs_pool *pool, const struct rotation_cas *cas);
