#pragma once

#include <jansson.h>
#include <stddef.h>

#include "cluster/cluster.h"

// Kubeconfig files, as kubectl understands them. Reading YAML is the caller's business (it comes as
// JSON objects), so that there is one reader of manifests and kubeconfigs.

struct kubeconfig_file {
  const char *path;  // as given, for messages and for what is relative to its folder
  const json_t *root;
};

// Opens the API server of `context` (NULL: current-context). Several files are merged as kubectl
// does: of a cluster, user, context or current-context the first file that has it wins.
// FAULT_SETTINGS names the file and the field: `config: users "dev": user.exec: …`. Refused: exec
// and auth-provider (no programs are run), username and password (gone since Kubernetes 1.19).
// `defaults` may be NULL; of it only the time-outs are taken.
struct cluster *cluster_open_kubeconfig(const struct kubeconfig_file *files, size_t count,
                                        const char *context,
                                        const struct cluster_settings *defaults,
                                        struct fault *fault);
