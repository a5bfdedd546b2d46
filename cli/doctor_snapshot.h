#pragma once

#include "cli/doctor.h"
#include "cluster/cluster.h"

// Lists everything that the checks look at; what cannot be had is a finding. `name` and
// `namespace_` are those of the installation. Free with snapshot_close(), also after a failure.
// 0, or -1 when nothing can be had at all: no API server, no memory.
int snapshot_take(struct cluster *cluster, struct snapshot *ret_snapshot,
                  struct finding_list *findings, struct fault *fault);

// True if nothing may be looked at: no finding then means nothing.
bool snapshot_is_empty(const struct snapshot *snapshot);

void snapshot_close(struct snapshot *snapshot);
