#pragma once

#include <stddef.h>

#include "admission/text.h"

// The uid of a review whose bytes cannot be decoded: `"uid":"…"` behind `"request"` in the first
// UID_SCAN_MAX bytes, where the API server's field order puts it (protocol §2). It is accepted only
// if it is made of letters, digits and '-', at most 64 of them, so that it can be echoed as it is.
// .data is NULL when there is none. Borrowed from `body`.
#define UID_SCAN_MAX 4096

struct text uid_recover(const char *body, size_t len);
