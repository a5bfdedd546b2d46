#pragma once

#include <limits.h>

#include "admission/error.h"
#include "cluster/cluster.h"
#include "server/configuration.h"

// The configuration that an audit judges with: of a file, or the one that the server has.

// Where the installation keeps it: deploy/base/config-map.yaml.
#define AUDIT_CONFIG_MAP "rayfix"
#define AUDIT_CONFIG_KEY "config.yaml"

struct audit_config {
  struct configuration *configuration;  // owned
  const char *source;                   // "file", "config-map" or "defaults"
  char name[PATH_MAX];                  // the file, or the ConfigMap; "" for the defaults
  struct error note;                    // why there are only the defaults; "" otherwise
};

// Reads `file`; without one (NULL) the ConfigMap of the installation in `namespace_`, and the
// defaults with a note if it does not exist or may not be read. FLAGS_GO_ON, or the exit code after
// a message: EXIT_USAGE if it is wrong, EXIT_IO if it cannot be had. Free with audit_config_free().
int audit_config_load(struct cluster *cluster, const char *file, const char *namespace_,
                      struct audit_config *ret_config);

void audit_config_free(struct audit_config *config);
