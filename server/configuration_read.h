#pragma once

#include <stddef.h>

#include "admission/arena.h"
#include "admission/option.h"
#include "server/configuration_mistakes.h"
#include "server/configuration_tables.h"
#include "server/yaml.h"

// Reading options out of a YAML tree, whatever the options belong to. Nothing here returns an
// error: what is wrong goes into the mistakes, and reading goes on behind it.

struct loader {
  struct mistakes *mistakes;
  struct arena *scratch;  // gone after reading
  struct arena *arena;    // the configuration's
};

// Rows and the struct that they write to.
struct option_target {
  const char *section;  // where text_check_find() looks; NULL if nowhere
  const struct option *rows;
  size_t count;
  void *base;
};

// True if the node is a mapping or a list. Null means "not set" and is silent, anything else is a
// mistake that says what was wanted.
bool loader_expects(const struct loader *loader, const struct node *node, enum node_type type,
                    const struct path *path, const char *wanted);

// Reports keys of a mapping that are unknown, not text, or there twice, and makes them
// NODE_INVALID, which a walk over the mapping then skips.
void loader_check_keys(const struct loader *loader, struct node *mapping, const struct path *path,
                       const char *const *names, size_t count);

// Reads a mapping into all targets. Rows have different keys.
void loader_read_options(const struct loader *loader, struct node *mapping, const struct path *path,
                         const struct option_target *targets, size_t target_count);

// Reads one value.
void loader_read_option(const struct loader *loader, const char *section, const struct option *row,
                        void *base, const struct node *node, const struct path *path);

// A text that stands at `node`, checked; .data is NULL if it is none, which has been reported.
struct text loader_read_text(const struct loader *loader, const struct text_check *check,
                             const struct node *node, const struct path *path);

// The value under `key`, NULL when it is absent.
struct node *node_get(const struct node *mapping, const char *key);

// An array for `count` names in scratch memory; NULL, with the failure noted, when memory is short.
const char **loader_names(const struct loader *loader, size_t count);

// Reports settings that are each fine and do not fit together.
void configuration_check(const struct configuration *configuration, const struct node *root,
                         struct mistakes *mistakes);
