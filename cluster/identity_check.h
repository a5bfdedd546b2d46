#pragma once

#include <stdbool.h>

#include "cluster/cluster.h"

// Before a write: reads the UID unless it was read within CLUSTER_IDENTITY_MS, or if `now` is set,
// and compares it. 0, or -1 with FAULT_FOREIGN or what kept it from being read.
int identity_verify(struct cluster *cluster, bool now, unsigned budget_ms, struct fault *fault);
