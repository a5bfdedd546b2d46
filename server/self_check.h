#pragma once

#include "admission/error.h"
#include "server/address.h"
#include "server/tls_identity.h"

// A TLS handshake with ourselves on the real port: 0 when it succeeds and the leaf that came is
// the identity's, else -1 with the reason. Gives up after SELF_CHECK_SECONDS.
#define SELF_CHECK_SECONDS 5
int self_check(const struct listener *listener, const struct tls_identity *identity,
               int min_version, struct error *error);
