#pragma once

#include <stddef.h>

#include "admission/text.h"

// What takes the place of a secret in a message.
#define REDACTED "[redacted]"

// The shortest run of base64 that is taken for key or certificate data. Names and digests that
// messages need are shorter: a SHA-512 in hex has 128 digits, but none of them reaches us in a
// message, a UID has 36.
#define REDACT_BASE64_MIN 100

// Rewrites the NUL-terminated `message` of `size` bytes in place without secrets: the given ones
// (each of at least REDACT_SECRET_MIN bytes), whatever follows "Bearer ", JSON Web Tokens (eyJ….…),
// PEM blocks, and long runs of base64. An API server, a proxy or a webhook may quote what it got.
#define REDACT_SECRET_MIN 8
void redact(char *message, size_t size, const struct text *secrets, size_t count);
