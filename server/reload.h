#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "server/override.h"

// What is read from files, at start and whenever a file changes: the configuration and the
// certificates. Read and checked first, then put in force; a bad file changes nothing.
struct reload {
  const char *config_path;  // NULL: defaults
  const struct override *overrides;
  size_t override_count;
  unsigned long long config_stamp;
  unsigned long long certs_stamp;
  // What was refused is tried again at each look, since time or a permission may mend it while the
  // files stay as they are: a leaf that is not valid yet, a folder that could not be read.
  bool config_unreadable;
  bool certs_refused;
};

// Loads the configuration for the first time and puts it in force. Returns 0, or -1 after having
// written every mistake to stderr; *ret_unreadable as for configuration_load().
int reload_first_configuration(struct reload *reload, bool *ret_unreadable);

// Loads the certificates of the configuration in force, issuing them first if the folder is empty.
// Returns 0, or -1 with the reason.
int reload_first_certificates(struct reload *reload, struct error *error);

// Looks at the files and loads what has changed; with `force` whatever their stamps say.
void reload_look(struct reload *reload, bool force);
