#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "admission/buffer.h"
#include "admission/option.h"

// Options as text, for messages, the printed configuration and the documentation.

// Large enough for every duration_format() result with its NUL.
#define DURATION_TEXT_MAX 64

// Writes milliseconds (0 or more) so that duration_parse() reads them back: "1m30s", "250ms", "0s".
void duration_format(int64_t milliseconds, char text[DURATION_TEXT_MAX]);

// Large enough for every option_range_text() result with its NUL.
#define OPTION_RANGE_TEXT_MAX 160

bool option_has_range(const struct option *option);

// Writes "from 1s to 1h" in the option's own notation; the empty text when it has no range.
void option_range_text(const struct option *option, char range[OPTION_RANGE_TEXT_MAX]);

// Appends the option's value as YAML on one line: 5, "a b", [x, y], 1m30s.
void option_print(const struct option *option, const void *options, struct buffer *out);

// Appends a text as a YAML scalar: plain where every reader of YAML takes it for a string,
// otherwise in double quotes.
void option_print_text(struct text text, struct buffer *out);
