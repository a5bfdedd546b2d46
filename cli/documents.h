#pragma once

#include <stddef.h>

#include "cli/flags.h"
#include "cli/manifest_files.h"
#include "server/configuration.h"

// What the verbs that work on manifests have in common: -f, -R, -n and --config, and reading what
// they name.

struct document_flags {
  struct flag_texts files;
  const char *namespace_name;  // of objects that name none
  const char *config;
  bool recursive;
};

// The rows of a verb's table for the `member`, a struct document_flags, of its struct `type`.
// clang-format off
#define DOCUMENT_FLAGS(type, member)                                                              \
  {.letter = 'f', .name = "filename", .kind = FLAG_TEXTS,                                         \
   .offset = offsetof(type, member.files)},                                                       \
  {.letter = 'n', .name = "namespace", .kind = FLAG_TEXT,                                         \
   .offset = offsetof(type, member.namespace_name)},                                              \
  {.name = "config", .kind = FLAG_TEXT, .offset = offsetof(type, member.config)},                 \
  {.letter = 'R', .name = "recursive", .kind = FLAG_SWITCH,                                       \
   .offset = offsetof(type, member.recursive)}
// clang-format on

// Zeroed: nothing was read.
struct documents {
  struct configuration *configuration;
  struct file_list files;  // whose names the manifests borrow
  struct manifest_list list;
};

// Reads the configuration and then every manifest, before any is worked on. FLAGS_GO_ON, or the
// exit code after a message. Close it in both cases.
int documents_open(const struct verb *verb, const struct document_flags *given,
                   struct documents *ret_documents);

void documents_close(struct documents *documents);
