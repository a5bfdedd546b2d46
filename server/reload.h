#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include "certs/certs.h"
#include "server/override.h"

// What is read from files, at start and whenever a file changes: the configuration and the
// certificates. Read and checked first, then put in force; a bad file changes nothing.
struct reload {
  const char *config_path;  // NULL: defaults
  const struct override *overrides;
  size_t override_count;
  unsigned long long config_stamp;
  unsigned long long certs_stamp;
  bool certs_from_files;  // set by reload_first_certificates(); else the files are left alone
  // Self-issued certificates in the folder are issued anew from then on, seconds since 1970; 0:
  // they are not ours.
  time_t renewal;
  // What was refused is tried again at each look, since time or a permission may mend it while the
  // files stay as they are: a leaf that is not valid yet, a folder that could not be read.
  bool config_unreadable;
  bool certs_refused;
};

// Loads the configuration for the first time and puts it in force. Returns 0, or -1 after having
// written every mistake to stderr; *ret_unreadable as for configuration_load().
int reload_first_configuration(struct reload *reload, bool *ret_unreadable);

// Loads the certificates of the configuration in force, issuing them first if the folder is empty.
// Returns 0, or -1 with the reason. 0 also for certificates that only time makes wrong, because
// this clock may be behind: they are tried again at each look, and until then the server is not
// ready. Not for certificates.source: secret.
int reload_first_certificates(struct reload *reload, struct error *error);

// Looks at the files and loads what has changed; with `force` whatever their stamps say.
void reload_look(struct reload *reload, bool force);

// Serves with `pair` from now on, and says so in the log, the metrics and readiness. From any
// thread. Returns 0, or -1 with the reason; then what was served before still is.
int reload_put_certificate_in_force(const struct certs_pair *pair, struct text client_ca_file,
                                    struct error *error);

// A number that changes when the file, or the symlink that leads to it, is replaced or rewritten;
// 0 if there is none.
unsigned long long reload_file_stamp(struct text path);
