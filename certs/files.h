#pragma once

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "admission/error.h"

// Reading small files whole, and replacing several so that a reader sees each old or new.

// A file's bytes. Free with certs_bytes_free(), which wipes them: they may be a key.
struct certs_bytes {
  char *data;  // NUL-terminated; NULL when the file does not exist
  size_t len;
};

void certs_bytes_free(struct certs_bytes *bytes);

#define certs_bytes_auto __attribute__((cleanup(certs_bytes_free))) struct certs_bytes

// Puts "dir/name" into `path`.
int certs_path(char path[PATH_MAX], const char *dir, const char *name, struct error *error);

// Opens `path` for reading. Returns the descriptor, whose size is put into *ret_size; -1 with
// errno's text, or if it is no regular file or larger than CERTS_FILE_MAX. A file that is not there
// is no error if `may_be_absent`: then -1 is returned and error->text is empty.
int certs_file_open(const char *path, bool may_be_absent, size_t *ret_size, struct error *error);

// Reads the whole of `path`. If it is not there and `may_be_absent`, ret->data is NULL.
int certs_file_read(const char *path, bool may_be_absent, struct certs_bytes *ret,
                    struct error *error);

// Makes `dir` and its missing parents (0700), and locks it against other writers until the
// descriptor that is returned is closed.
int certs_dir_lock(const char *dir, struct error *error);

struct certs_output {
  const char *name;
  mode_t mode;
  const struct certs_bytes *bytes;
};

// Writes all outputs beside the files they replace, flushes them, and only then renames them in the
// order given, so that the time in which old and new are mixed is as short as can be. If something
// fails before the first rename nothing has changed.
int certs_files_replace(int dir_fd, const char *dir, const struct certs_output *outputs,
                        size_t count, struct error *error);
