#pragma once

#include <gnutls/gnutls.h>
#include <stdbool.h>

#include "admission/error.h"
#include "admission/text.h"

// Is the client of this session, whose handshake is done, allowed in? It must have shown a valid
// client certificate (extended key usage clientAuth) of the trusted CA, whose subject CN or one of
// whose DNS names is in `names`; an empty list allows every name. False comes with the reason.
bool client_is_allowed(gnutls_session_t session, const struct text_list *names,
                       struct error *error);
