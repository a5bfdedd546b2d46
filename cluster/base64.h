#pragma once

#include "admission/buffer.h"
#include "admission/text.h"

// Base64 as Kubernetes writes binary data in JSON (RFC 4648 §4, with padding).

// Appends the bytes; blanks and newlines in the text are skipped, as Go does with newlines.
// False if it is no base64, or the buffer failed.
bool base64_decode(struct text text, struct buffer *out);

// Appends the text. False if the buffer failed.
bool base64_encode(struct text bytes, struct buffer *out);
