#pragma once

#include "admission/text.h"

// Large enough for every quote_text() result with its NUL.
#define QUOTE_MAX 96

// Writes `text` in double quotes for a message: one line, NUL-terminated, valid UTF-8 if the text
// is; control characters are escaped, since what a stranger wrote must not steer a terminal, and a
// long text is cut and ends in "…". Returns `quoted`.
const char *quote_text(struct text text, char quoted[QUOTE_MAX]);
