#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "admission/buffer.h"
#include "admission/config.h"
#include "server/settings.h"

// The configuration file (design §5): `apiVersion: rayfix.io/v1alpha1`, `kind: Configuration`,
// strict, with every mistake reported at once as `file:line:column: path: what, what was wanted`.

struct configuration {
  struct admission_config *admission;  // owned; its arena holds the strings of `settings` too
  struct settings settings;
};

// Reads `path`; NULL means no file, that is, the defaults. On mistakes returns NULL with all of
// them, one a line, in `ret_mistakes` (owned by the caller, see buffer_free()); *ret_unreadable is
// true when the file could not be read at all (exit code 3 rather than 2).
// Free with configuration_free().
struct configuration *configuration_load(const char *path, struct buffer *ret_mistakes,
                                         bool *ret_unreadable);

// The same for text that is already in memory; `name` stands for the file in messages.
struct configuration *configuration_parse(const char *name, const char *text, size_t len,
                                          struct buffer *ret_mistakes);

// NULL is fine.
void configuration_free(struct configuration *configuration);

// Every setting with its default, help as comments: a complete file that loads again.
void configuration_print_defaults(struct buffer *out);

// The JSON Schema (draft 2020-12) of the file, from the same tables.
void configuration_print_schema(struct buffer *out);
