#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "cli/flags.h"
#include "cli/manifest.h"

// Which files -f means, as kubectl has it: a file, "-", or the *.json, *.yaml and *.yml of a
// directory in the order of their names.

// Zeroed: empty.
struct file_list {
  char **paths;
  size_t count;
};

// Folders within folders are followed to this depth, and no symbolic links to folders.
#define FILE_LIST_DEPTH_MAX 32

// Appends the files that `path` stands for. 0, or -1 with an error.
int file_list_add(struct file_list *list, const char *path, bool recursive, struct error *error);

// NULL is fine.
void file_list_free(struct file_list *list);

// Reads and parses all files. The documents borrow their names from `files`.
enum manifest_status manifest_read_files(const struct file_list *files, struct manifest_list *list,
                                         struct error *error);

// What a verb's flags -f and -R mean: reads every manifest before any is worked on. FLAGS_GO_ON,
// or the exit code after a message.
int manifest_read_given(const struct verb *verb, const struct flag_texts *paths, bool recursive,
                        struct file_list *files, struct manifest_list *list);
