#pragma once

#include <gnutls/gnutls.h>
#include <stdbool.h>
#include <time.h>

#include "admission/error.h"
#include "admission/text.h"
#include "certs/certs.h"

// What the server shows of itself in a handshake, and whom it trusts: one GnuTLS credentials
// object, shared by reference count. A connection keeps the one that it began with, so an old pair
// lives exactly as long as somebody uses it, and a swap disturbs nobody.
struct tls_identity;

// `client_ca_file`: clients are asked for a certificate of that CA; empty asks for none.
// Returns NULL with a reason. The caller holds one reference.
struct tls_identity *tls_identity_new(const struct certs_pair *pair, struct text client_ca_file,
                                      struct error *error);

struct tls_identity *tls_identity_ref(struct tls_identity *identity);

// Drops a reference; the last one frees. NULL is fine.
void tls_identity_unref(struct tls_identity *identity);

// Makes a session that has not begun its handshake use the identity. Returns 0 or -1.
int tls_identity_attach(struct tls_identity *identity, gnutls_session_t session);

bool tls_identity_asks_clients(const struct tls_identity *identity);
time_t tls_identity_expiry(const struct tls_identity *identity);

// The leaf in DER. Borrowed.
gnutls_datum_t tls_identity_leaf(const struct tls_identity *identity);

// The identity that new connections get.
struct tls_identity *tls_current(void);               // a new reference, or NULL
void tls_set_current(struct tls_identity *identity);  // steals the reference; NULL is fine

// The pinned GnuTLS priorities (protocol §4.2): AEAD suites with ECDHE only, no tickets.
// `min_version` is an enum tls_version.
const char *tls_priorities(int min_version);
