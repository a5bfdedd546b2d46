#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "admission/arena.h"
#include "admission/buffer.h"
#include "admission/text.h"

// Everything that is wrong with one file, each as `file:line:column: path: what`, in the order of
// the file however it was found.

// More than these are counted only: nobody reads further.
#define MISTAKES_MAX 100

struct mistake {
  size_t line;
  size_t column;
  struct text message;  // "path: what"
};

struct mistakes {
  const char *file;     // as in messages
  struct arena *arena;  // borrowed; holds the messages
  struct mistake items[MISTAKES_MAX];
  size_t count;  // of all, also those beyond MISTAKES_MAX
  bool out_of_memory;
};

// Where a value stands in the file: "namespaces[2].mutators.wait-gcs.mode". Lives on the stack of
// whoever walks the file.
struct path {
  const struct path *parent;
  struct text key;  // of a mapping; .data is NULL for an item of a list
  size_t index;
};

// Line and column count from 1. A NULL path stands for the file as a whole.
__attribute__((format(printf, 5, 6))) void mistakes_add(struct mistakes *mistakes, size_t line,
                                                        size_t column, const struct path *path,
                                                        const char *format, ...);

// Writes one line for each, sorted by position, and a note if there were more than are kept.
void mistakes_print(struct mistakes *mistakes, struct buffer *out);
