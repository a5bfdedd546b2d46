#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "admission/config.h"
#include "admission/review.h"

// One object that exists in a cluster: what the validators say to it, and what it takes.

// What the worker groups of a RayCluster take, in workers and GPUs of all of them.
struct audit_usage {
  int64_t workers;       // now: replicas, at least minReplicas, times numOfHosts; 0 when suspended
  int64_t max_workers;   // INT64_MAX if a group may grow without end
  int64_t idle_workers;  // that stay when nothing runs: minReplicas times numOfHosts
  int64_t gpus;          // of these workers and the head
  int64_t idle_gpus;
};

struct audit_verdict {
  bool is_judged;  // a rule looks at its kind, and its namespace is not exempt
  bool is_denied;
  struct text message;                 // of a denial that no rule made
  const struct violation *violations;  // borrowed from the arena until the next call
  size_t violation_count;
  struct audit_usage usage;  // zero for kinds other than RayCluster
};

// Judges `json`, one object with apiVersion and kind, as if it were created now. `arena` is reset.
// 0, or -1 when memory is short or the text is no JSON.
int audit_judge(const struct admission_config *config, struct arena *arena, const char *json,
                size_t len, struct audit_verdict *ret_verdict);
