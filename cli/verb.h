#pragma once

#include <stddef.h>

// One file per verb, each ending in `const struct verb verb_<name>`; main() looks the name up.

struct verb {
  const char *name;
  const char *summary;  // one line for the list of verbs
  const char *help;     // what -h prints: usage, flags, an example
  // argv[0] is the verb. Returns the exit code.
  int (*run)(int argc, char **argv);
};

// Exit codes, the same for every verb.
enum {
  EXIT_FINE = 0,
  EXIT_DENIED = 1,  // something was denied, or differs
  EXIT_USAGE = 2,   // wrong flags or a bad configuration
  EXIT_IO = 3,      // input/output: a file, a port, memory
};

extern const struct verb *const verbs[];  // ends with NULL
