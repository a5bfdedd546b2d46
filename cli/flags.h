#pragma once

#include <stddef.h>

#include "cli/verb.h"

// A table of a verb's flags over getopt_long. Every verb takes -h/--help besides.

enum flag_kind {
  FLAG_SWITCH,   // bool
  FLAG_TEXT,     // const char *
  FLAG_TEXTS,    // struct flag_texts: may be given again and again
  FLAG_NAME,     // int, index into `names`
  FLAG_NUMBER,   // int from 0 to 255: an exit code
  FLAG_OPERAND,  // const char *: the argument that is no flag; the last row of a table
};

struct flag {
  char letter;  // 0: no short form
  const char *name;
  enum flag_kind kind;
  size_t offset;             // in the struct that flags_parse() fills
  const char *const *names;  // FLAG_NAME: what may be given; ends with NULL
};

// The texts of a repeated flag, borrowed from argv. Zeroed: none.
struct flag_texts {
  const char **items;  // malloc'ed: free with flag_texts_free()
  size_t count;
};

// NULL is fine.
void flag_texts_free(struct flag_texts *texts);

// Returned when the verb is to go on.
#define FLAGS_GO_ON (-1)

// Reads argv into `target`, which holds the defaults. FLAGS_GO_ON, or the exit code: EXIT_FINE
// after -h, whose help was printed, EXIT_USAGE after a message. Operands are refused, unless there
// is a row for one.
int flags_parse(const struct verb *verb, const struct flag *flags, size_t count, void *target,
                int argc, char **argv);
