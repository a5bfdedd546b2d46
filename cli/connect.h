#pragma once

#include "cli/flags.h"
#include "cluster/cluster.h"

// Verbs that talk to a cluster: --kubeconfig and --context.

struct connect_flags {
  const char *kubeconfig;
  const char *context;
};

// The rows of a verb's table for the `member`, a struct connect_flags, of its struct `type`.
// clang-format off
#define CONNECT_FLAGS(type, member)                                                               \
  {.name = "kubeconfig", .kind = FLAG_TEXT, .offset = offsetof(type, member.kubeconfig)},         \
  {.name = "context", .kind = FLAG_TEXT, .offset = offsetof(type, member.context)}
// clang-format on

#define CONNECT_HELP                                                                            \
  "      --kubeconfig FILE  without it $KUBECONFIG (a file, or several with : between), then\n" \
  "                         ~/.kube/config, then the service account of the pod\n"              \
  "      --context NAME     of the kubeconfig; its current-context without it\n"

// The largest kubeconfig. One with the data of a hundred clusters has 1 MB.
#define CONNECT_FILE_MAX ((size_t)16 << 20)

// FLAGS_GO_ON with *ret_cluster, or the exit code after a message. Sends nothing yet.
int connect_open(const struct verb *verb, const struct connect_flags *given,
                 struct cluster **ret_cluster);
