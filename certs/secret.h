#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "admission/text.h"
#include "certs/certs.h"
#include "certs/files.h"
#include "certs/rotation.h"

// Certificates in a Secret of type kubernetes.io/tls, and in the bundles of webhook configurations:
// what rotation.h plans with fingerprints is done here with keys and PEM. Nothing here talks to an
// API server.

enum certs_secret_key {
  CERTS_SECRET_CHAIN,     // tls.crt: the leaf
  CERTS_SECRET_KEY,       // tls.key
  CERTS_SECRET_CA,        // ca.crt: every CA that clients must trust
  CERTS_SECRET_CA_KEY,    // ca.key: of the CA in ca.crt that signs
  CERTS_SECRET_NEXT_KEY,  // next-ca.key: of the one that will sign, while a change is under way
  CERTS_SECRET_COUNT,
};

// "tls.crt" and so on.
extern const char *const certs_secret_names[CERTS_SECRET_COUNT];

// The values, decoded. A value that is absent or empty has no data.
struct certs_secret {
  struct certs_bytes values[CERTS_SECRET_COUNT];
  time_t retire_after;
};

// Wipes and frees the values.
void certs_secret_free(struct certs_secret *secret);

#define certs_secret_auto __attribute__((cleanup(certs_secret_free))) struct certs_secret

// Certificates of CAs by fingerprint: what a plan names is found here. Not shared between threads.
struct certs_pool;

struct certs_pool *certs_pool_new(void);  // NULL when memory is short
void certs_pool_free(struct certs_pool *pool);

// Reads a bundle, puts its certificates into the pool and their fingerprints into *ret_cas. What
// cannot be read, and what is more than ROTATION_CAS_MAX, makes *ret_intact false. -1 only when
// memory is short.
int certs_pool_read(struct certs_pool *pool, struct text pem, struct rotation_cas *ret_cas,
                    bool *ret_intact);

// The PEM of `cas`, all of which must be in the pool.
int certs_pool_write(const struct certs_pool *pool, const struct rotation_cas *cas,
                     struct certs_bytes *ret_pem, struct error *error);

// What the values come to: everything of *ret but `found`. If something in them cannot be used,
// ret->damaged is true and *ret_damage says what and why.
int certs_secret_read(struct certs_pool *pool, const struct certs_secret *secret,
                      const struct text_list *names, struct rotation_secret *ret,
                      struct error *ret_damage);

// What this replica serves, with the PEM that can be put into a Secret again.
struct certs_served {
  struct rotation_served rotation;
  struct certs_secret pem;  // tls.crt, tls.key, and in ca.crt the CA that signed
};

// What to make of a Secret.
struct certs_change {
  const struct rotation_write *write;
  const struct rotation_policy *policy;
  const struct rotation_secret *read;  // what certs_secret_read() said of `secret`
  const struct certs_secret *secret;   // NULL: there is none
  const struct certs_served *served;
  const struct text_list *names;  // SANs of a new leaf
  int64_t now;                    // milliseconds since 1970
};

// Carries out the plan: makes the keys and certificates that it wants. *ret is the Secret that is
// to be written; the caller frees.
int certs_secret_change(struct certs_pool *pool, const struct certs_change *change,
                        struct certs_secret *ret, struct error *error);

// The leaf of the Secret after every check of certs_pair_load(), at time `now`; NULL with the
// reason. *ret_served gets a copy for rotation_view.served; the caller frees its pem.
struct certs_pair *certs_secret_pair(const struct certs_pool *pool,
                                     const struct certs_secret *secret,
                                     const struct rotation_secret *read,
                                     const struct text_list *names, time_t now,
                                     struct certs_served *ret_served, struct error *error);
