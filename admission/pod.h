#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <yyjson.h>

#include "admission/arena.h"
#include "admission/quantity.h"
#include "admission/text.h"

// What the rules need to know of a Pod, read in one pass (semantics §1). All pointers are borrowed
// from the review; anything that is absent or has the wrong type is NULL or zero.

enum pod_role { POD_ROLE_NONE, POD_ROLE_HEAD, POD_ROLE_WORKER };

// How a container starts its program, as far as an injected script must know.
enum container_shell { SHELL_OTHER, SHELL_BASH, SHELL_BASH_LOGIN };

struct container_view {
  size_t index;  // in spec.containers or spec.initContainers
  yyjson_val *object;
  yyjson_val *name;
  yyjson_val *image;
  yyjson_val *image_pull_policy;
  yyjson_val *command;
  yyjson_val *args;
  yyjson_val *env;
  yyjson_val *env_from;
  yyjson_val *resources;
  yyjson_val *volume_mounts;
  yyjson_val *lifecycle;
  yyjson_val *readiness_probe;
  yyjson_val *security_context;
};

struct container_list {
  struct container_view *items;
  size_t count;
};

// A resource whose name has a slash, such as nvidia.com/gpu, with what all containers of a kind
// ask for together. Amount per container: the limit if there is one, otherwise the request.
struct extended_resource {
  struct text name;
  struct quantity containers;
  struct quantity init_containers;
};

// More distinct extended resources than this in one pod are not listed: no node has so many, and
// the bound keeps the pass linear in hostile input. Amounts of zero are not listed at all, so that
// they cannot fill the list. `gpus` counts all GPUs, listed or not.
#define POD_EXTENDED_RESOURCES_MAX 32

struct pod_view {
  enum pod_role role;
  yyjson_val *metadata;
  yyjson_val *labels;
  yyjson_val *annotations;
  yyjson_val *spec;
  yyjson_val *volumes;
  yyjson_val *tolerations;
  yyjson_val *affinity;
  yyjson_val *node_selector;
  yyjson_val *dns_policy;
  yyjson_val *dns_config;
  yyjson_val *grace_period;   // terminationGracePeriodSeconds
  yyjson_val *pod_resources;  // spec.resources
  bool host_network;
  bool host_pid;
  bool share_process_namespace;
  bool terminating;  // metadata.deletionTimestamp is set
  bool windows;      // spec.os.name
  bool mirror;       // static pod's mirror
  struct container_list containers;
  struct container_list init_containers;
  const struct container_view *ray;  // NULL only without containers
  struct extended_resource extended[POD_EXTENDED_RESOURCES_MAX];
  size_t extended_count;
  struct quantity gpus;  // of all containers, init containers not counted
};

// Reads `object` (any JSON value). `gpu_resources` are names counted as GPUs besides the built-in
// ones. Returns 0, or -1 when memory is short.
int pod_view_read(yyjson_val *object, const struct text_list *gpu_resources, struct arena *arena,
                  struct pod_view *ret_pod);

// True if the resource is a GPU (semantics §4.2): ends with "gpu", is an NVIDIA MIG slice or
// nvidia.com/gpu.shared, or is in `more`. TPUs and Neuron cores are not.
bool resource_is_gpu(struct text name, const struct text_list *more);

// One environment variable of a container. Kubernetes takes the last entry of a name.
enum env_kind {
  ENV_ABSENT,
  ENV_LITERAL,   // .value is set
  ENV_INDIRECT,  // valueFrom or $(NAME): nobody can know it here
};

struct env_value {
  enum env_kind kind;
  struct text value;
};

struct env_value container_env(const struct container_view *container, struct text name);

enum container_shell container_shell(const struct container_view *container);

// True if some string of `command` or `args` contains `needle`.
bool container_runs(const struct container_view *container, struct text needle);
