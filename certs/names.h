#pragma once

#include "admission/text.h"
#include "certs/openssl.h"

// subjectAltName for localhost, 127.0.0.1, ::1 and `names` (may be NULL), each once.
// New; NULL with an error, also for what certs_name_is_valid() refuses.
GENERAL_NAMES *certs_names_build(const struct text_list *names, struct error *error);
