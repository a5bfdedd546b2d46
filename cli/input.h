#pragma once

#include <stdbool.h>

#include "admission/buffer.h"
#include "admission/error.h"
#include "server/configuration.h"

// What several verbs read.

// Appends the bytes of `path` ("-" is standard input) to `out`. Reading stops when the buffer's
// maximum is reached: then *ret_too_large is true and `out` holds the beginning.
// 0, or -1 with an error that names the file.
int input_read(const char *path, struct buffer *out, bool *ret_too_large, struct error *error);

// The configuration of `path`, NULL for the defaults. NULL after the mistakes have been printed;
// *ret_exit is then the exit code. Free with configuration_free().
struct configuration *input_configuration(const char *path, int *ret_exit);

// The same of text that is in memory; `name` stands for the file in the mistakes.
struct configuration *input_configuration_text(const char *name, const char *text, size_t len);
