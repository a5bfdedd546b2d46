#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#include "admission/error.h"
#include "admission/text.h"

// A token, certificate or key: given as text, or in a file that is read again when it changes.

// As a Secret, from which such files are mounted, cannot be larger (MaxSecretSize).
#define MATERIAL_MAX ((size_t)1 << 20)

// Zeroed: nothing is given.
struct material {
  char *path;   // NULL: given as text
  char *bytes;  // NUL-terminated; NULL until read
  size_t len;
  struct stat status;  // of the file when it was read
};

// Copies; at most one of both may be given, both may be NULL. 0, or -1 when memory is short.
int material_set(struct material *material, const char *text, const char *path);

static inline bool material_is_given(const struct material *material) {
  return material->path != NULL || material->bytes != NULL;
}

// Reads the file if it was not read yet or has changed. When it cannot be read any more, what was
// read before stays: the server will say what it thinks of it. Blanks and newlines at its end are
// cut off. 0, or -1 with an error that names the file.
int material_refresh(struct material *material, struct error *error);

// Reads the file at the next refresh in any case.
void material_forget(struct material *material);

static inline struct text material_text(const struct material *material) {
  return (struct text){material->bytes, material->len};
}

// Wipes. Zeroed afterwards.
void material_free(struct material *material);
