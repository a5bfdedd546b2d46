#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <yyjson.h>

#include "admission/arena.h"
#include "admission/pod.h"
#include "admission/text.h"

// What validators look at: a Ray custom resource, a Pod, a PodDisruptionBudget or a Node, read
// once. A Pod is shown as one group of one pod, so that a rule about pods is written once for both.

enum subject_kind {
  SUBJECT_RAY = 1 << 0,   // RayCluster, RayJob, RayService, RayCronJob
  SUBJECT_POD = 1 << 1,   // a Ray head or worker pod
  SUBJECT_PDB = 1 << 2,   // PodDisruptionBudget
  SUBJECT_NODE = 1 << 3,  // Node
};

// A replica number of a worker group. What is no whole number from 0 to 2^63 - 1 is COUNT_BAD: it
// counts as the nearest number in that range, and rule `quantities` reports it.
enum count_state { COUNT_ABSENT, COUNT_OK, COUNT_BAD };

struct count {
  enum count_state state;
  int64_t value;       // 0 when absent
  yyjson_val *source;  // NULL when absent
};

// KubeRay's CRD default for maxReplicas: as good as not set (semantics §4.4, notes).
#define MAX_REPLICAS_UNSET 2147483647

// The head group, a worker group, or a Pod.
struct group_view {
  bool is_head;
  struct text name;      // groupName; "head" for the head group; empty for a Pod
  struct text path;      // of the group: "spec.workerGroupSpecs[1]"; empty for a Pod
  struct text pod_path;  // of the pod: "spec.workerGroupSpecs[1].template"; empty for a Pod
  yyjson_val *object;
  struct count replicas;
  struct count min_replicas;
  struct count max_replicas;
  struct count hosts;    // numOfHosts as written
  struct pod_view *pod;  // pod->ray is containers[0] of a template (semantics §4.3)
};

struct subject {
  enum subject_kind kind;
  yyjson_val *object;
  struct text kind_name;  // "RayCluster", "Pod", …
  struct text name;       // or generateName
  struct text namespace_name;
  yyjson_val *labels;
  bool terminating;
  bool owned;        // a Pod whose controller is a RayCluster: judged when that was admitted
  bool autoscaling;  // enableInTreeAutoscaling
  bool repairs_tolerations;   // the mutator gpu-tolerations is enforced here
  struct text cluster_path;   // "spec", "spec.rayClusterSpec", …
  yyjson_val *cluster;        // the cluster spec; NULL if there is none to check
  struct group_view *groups;  // head first, if there is one
  size_t group_count;
  yyjson_val *misplaced_groups;  // workerGroupSpecs that is no list, else NULL
};

// Reads an object of group `api_group` and kind `kind_name`. Returns 1 if it is something that
// validators look at, 0 if not, -1 when memory is short.
int subject_read(yyjson_val *object, struct text api_group, struct text kind_name,
                 const struct text_list *gpu_resources, struct arena *arena,
                 struct subject *ret_subject);

// numOfHosts as KubeRay takes it: absent or not positive is 1 (semantics §4.3).
int64_t group_hosts(const struct group_view *group);

// True if maxReplicas was really chosen: present and not the CRD's default.
bool group_max_is_set(const struct group_view *group);

// a × b and a + b of numbers that are not negative, INT64_MAX when that is too large.
int64_t saturating_times(int64_t a, int64_t b);
int64_t saturating_plus(int64_t a, int64_t b);
