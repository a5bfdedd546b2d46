#pragma once

#include "cli/doctor.h"
#include "cluster/cluster.h"

// Lists everything that the checks look at; what cannot be had is a finding. `name` and
// `namespace_` are those of the installation. Free with snapshot_close(), also after a failure.
// 0, or -1 when nothing can be had at all: no API server, no permission, no memory.
int snapshot_take(struct cluster *cluster, struct snapshot *ret_snapshot,
                  struct finding_list *findings, struct fault *fault);

void snapshot_close(struct snapshot *snapshot);
