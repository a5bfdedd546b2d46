#include "admission/pod.h"

#include "admission/json.h"

#define FIELD(type, member, key) \
  { TEXT(key), offsetof(type, member) }
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

// ---- resources ----

bool resource_is_gpu(struct text name, const struct text_list *more) {
  return text_ends_with(name, TEXT("gpu")) || text_starts_with(name, TEXT("nvidia.com/mig-")) ||
         text_equals(name, TEXT("nvidia.com/gpu.shared")) || text_list_contains(more, name);
}

static struct extended_resource *extended_named(struct pod_view *pod, struct text name) {
  for (size_t i = 0; i < pod->extended_count; i++) {
    if (text_equals(pod->extended[i].name, name)) {
      return &pod->extended[i];
    }
  }
  if (pod->extended_count == POD_EXTENDED_RESOURCES_MAX) {
    return NULL;
  }
  struct extended_resource *added = &pod->extended[pod->extended_count++];
  *added = (struct extended_resource){.name = name};
  return added;
}

// Nothing is no resource: names with 0 must not take the places of others, and a negative amount
// must not make the sum smaller.
// What a container's resources are counted into.
struct resource_count {
  struct pod_view *pod;
  const struct text_list *gpu_resources;
  bool init;
};

static void count_extended(const struct resource_count *count, struct text name,
                           yyjson_val *amount) {
  struct quantity quantity;
  if (text_find(name, TEXT("/"), 0) == name.len ||
      !quantity_parse(json_scalar_text(amount), &quantity) || quantity.nano <= 0) {
    return;  // what is negative must not make a sum smaller; rule `quantities` reports it
  }
  // GPUs are summed here and not over the list, so that no number of other resources hides them.
  if (!count->init && resource_is_gpu(name, count->gpu_resources)) {
    count->pod->gpus = quantity_add(count->pod->gpus, quantity);
  }
  struct extended_resource *resource = extended_named(count->pod, name);
  if (resource != NULL) {
    struct quantity *sum = count->init ? &resource->init_containers : &resource->containers;
    *sum = quantity_add(*sum, quantity);
  }
}

// Limits first: extended resources may be given there alone. A request counts only where there is
// no limit of that name.
static void count_container(const struct resource_count *count, yyjson_val *resources) {
  yyjson_val *limits = json_get(resources, "limits");
  yyjson_val *key;
  yyjson_obj_iter iter = yyjson_obj_iter_with(limits);
  while ((key = yyjson_obj_iter_next(&iter)) != NULL) {
    count_extended(count, json_text(key), yyjson_obj_iter_get_val(key));
  }
  iter = yyjson_obj_iter_with(json_get(resources, "requests"));
  while ((key = yyjson_obj_iter_next(&iter)) != NULL) {
    struct text name = json_text(key);
    yyjson_val *limit = yyjson_obj_getn(limits, name.data, name.len);
    if (limit == NULL || yyjson_is_null(limit)) {
      count_extended(count, name, yyjson_obj_iter_get_val(key));
    }
  }
}

// ---- containers ----

static const struct json_field container_fields[] = {
    FIELD(struct container_view, name, "name"),
    FIELD(struct container_view, image, "image"),
    FIELD(struct container_view, image_pull_policy, "imagePullPolicy"),
    FIELD(struct container_view, command, "command"),
    FIELD(struct container_view, args, "args"),
    FIELD(struct container_view, env, "env"),
    FIELD(struct container_view, env_from, "envFrom"),
    FIELD(struct container_view, resources, "resources"),
    FIELD(struct container_view, volume_mounts, "volumeMounts"),
    FIELD(struct container_view, lifecycle, "lifecycle"),
    FIELD(struct container_view, readiness_probe, "readinessProbe"),
    FIELD(struct container_view, security_context, "securityContext"),
};

static int read_containers(const struct resource_count *resources, yyjson_val *array,
                           struct arena *arena, struct container_list *ret_list) {
  size_t count = yyjson_arr_size(array);
  if (count == 0) {
    return 0;
  }
  struct container_view *items = arena_calloc(arena, count, sizeof *items);
  if (items == NULL) {
    return -1;
  }
  yyjson_arr_iter iter = yyjson_arr_iter_with(array);
  for (size_t i = 0; i < count; i++) {
    items[i].index = i;
    items[i].object = yyjson_arr_iter_next(&iter);
    json_fields(items[i].object, container_fields, COUNT(container_fields), &items[i]);
    count_container(resources, items[i].resources);
  }
  *ret_list = (struct container_list){items, count};
  return 0;
}

static bool strings_contain(yyjson_val *array, struct text needle) {
  yyjson_arr_iter iter = yyjson_arr_iter_with(array);
  for (yyjson_val *item = yyjson_arr_iter_next(&iter); item != NULL;
       item = yyjson_arr_iter_next(&iter)) {
    if (text_contains(json_text(item), needle)) {
      return true;
    }
  }
  return false;
}

bool container_runs(const struct container_view *container, struct text needle) {
  return strings_contain(container->command, needle) || strings_contain(container->args, needle);
}

struct env_value container_env(const struct container_view *container, struct text name) {
  struct env_value found = {ENV_ABSENT, {NULL, 0}};
  yyjson_arr_iter iter = yyjson_arr_iter_with(container->env);
  for (yyjson_val *entry = yyjson_arr_iter_next(&iter); entry != NULL;
       entry = yyjson_arr_iter_next(&iter)) {
    if (!json_is_string(yyjson_obj_get(entry, "name"), name)) {
      continue;
    }
    struct text value = json_get_text(entry, "value");
    // The kubelet expands $(NAME), so that text is no more known than a valueFrom.
    if (json_get(entry, "valueFrom") != NULL || text_contains(value, TEXT("$("))) {
      found = (struct env_value){ENV_INDIRECT, {NULL, 0}};
    } else {
      found = (struct env_value){ENV_LITERAL, value};
    }
  }
  return found;
}

enum container_shell container_shell(const struct container_view *container) {
  struct text program = json_text(yyjson_arr_get_first(container->command));
  if (!text_equals(program, TEXT("bash")) && !text_ends_with(program, TEXT("/bash"))) {
    return SHELL_OTHER;
  }
  yyjson_arr_iter iter = yyjson_arr_iter_with(container->command);
  for (yyjson_val *item = yyjson_arr_iter_next(&iter); item != NULL;
       item = yyjson_arr_iter_next(&iter)) {
    struct text word = json_text(item);
    bool flags = text_starts_with(word, TEXT("-")) && !text_starts_with(word, TEXT("--"));
    if (text_equals(word, TEXT("--login")) || (flags && text_contains(word, TEXT("l")))) {
      return SHELL_BASH_LOGIN;
    }
  }
  return SHELL_BASH;
}

// ---- the Ray container (semantics §1.2, Decision 3) ----

// How sure a container is the Ray container; 0 is not at all, lower numbers are surer.
static int ray_evidence(const struct container_view *container) {
  struct text name = json_text(container->name);
  if (container_env(container, TEXT("KUBERAY_GEN_RAY_START_CMD")).kind != ENV_ABSENT) {
    return 1;
  }
  if (container_env(container, TEXT("RAY_USAGE_STATS_KUBERAY_IN_USE")).kind != ENV_ABSENT) {
    return 2;
  }
  if (container_runs(container, TEXT("ray start"))) {
    return 3;
  }
  if (text_equals(name, TEXT("ray-head")) || text_equals(name, TEXT("ray-worker")) ||
      text_equals(name, TEXT("ray-node"))) {
    return 4;
  }
  return 0;
}

static const struct container_view *find_ray_container(const struct container_list *list) {
  const struct container_view *best = list->count > 0 ? &list->items[0] : NULL;
  int best_evidence = 5;
  for (size_t i = 0; i < list->count && best_evidence > 1; i++) {
    int evidence = ray_evidence(&list->items[i]);
    if (evidence != 0 && evidence < best_evidence) {
      best_evidence = evidence;
      best = &list->items[i];
    }
  }
  return best;
}

// ---- the pod ----

// The members of a spec that are values for rules, and those that are turned into facts.
struct spec_fields {
  yyjson_val *containers;
  yyjson_val *init_containers;
  yyjson_val *volumes;
  yyjson_val *tolerations;
  yyjson_val *affinity;
  yyjson_val *node_selector;
  yyjson_val *dns_policy;
  yyjson_val *dns_config;
  yyjson_val *grace_period;
  yyjson_val *resources;
  yyjson_val *host_network;
  yyjson_val *host_pid;
  yyjson_val *share_process_namespace;
  yyjson_val *os;
};

static const struct json_field spec_fields[] = {
    FIELD(struct spec_fields, containers, "containers"),
    FIELD(struct spec_fields, init_containers, "initContainers"),
    FIELD(struct spec_fields, volumes, "volumes"),
    FIELD(struct spec_fields, tolerations, "tolerations"),
    FIELD(struct spec_fields, affinity, "affinity"),
    FIELD(struct spec_fields, node_selector, "nodeSelector"),
    FIELD(struct spec_fields, dns_policy, "dnsPolicy"),
    FIELD(struct spec_fields, dns_config, "dnsConfig"),
    FIELD(struct spec_fields, grace_period, "terminationGracePeriodSeconds"),
    FIELD(struct spec_fields, resources, "resources"),
    FIELD(struct spec_fields, host_network, "hostNetwork"),
    FIELD(struct spec_fields, host_pid, "hostPID"),
    FIELD(struct spec_fields, share_process_namespace, "shareProcessNamespace"),
    FIELD(struct spec_fields, os, "os"),
};

static enum pod_role role_of(yyjson_val *labels) {
  yyjson_val *type = yyjson_obj_get(labels, "ray.io/node-type");
  if (json_is_string(type, TEXT("head"))) {
    return POD_ROLE_HEAD;
  }
  return json_is_string(type, TEXT("worker")) ? POD_ROLE_WORKER : POD_ROLE_NONE;
}

static void read_metadata(struct pod_view *pod, yyjson_val *object) {
  pod->metadata = json_get(object, "metadata");
  pod->labels = json_get(pod->metadata, "labels");
  pod->annotations = json_get(pod->metadata, "annotations");
  pod->role = role_of(pod->labels);
  pod->terminating = json_get(pod->metadata, "deletionTimestamp") != NULL;
  pod->mirror = json_get(pod->annotations, "kubernetes.io/config.mirror") != NULL;
}

int pod_view_read(yyjson_val *object, const struct text_list *gpu_resources, struct arena *arena,
                  struct pod_view *ret_pod) {
  struct pod_view *pod = ret_pod;
  *pod = (struct pod_view){0};
  read_metadata(pod, object);
  pod->spec = json_get(object, "spec");
  struct spec_fields spec = {0};
  json_fields(pod->spec, spec_fields, COUNT(spec_fields), &spec);
  pod->volumes = spec.volumes;
  pod->tolerations = spec.tolerations;
  pod->affinity = spec.affinity;
  pod->node_selector = spec.node_selector;
  pod->dns_policy = spec.dns_policy;
  pod->dns_config = spec.dns_config;
  pod->grace_period = spec.grace_period;
  pod->pod_resources = spec.resources;
  pod->host_network = json_is_true(spec.host_network);
  pod->host_pid = json_is_true(spec.host_pid);
  pod->share_process_namespace = json_is_true(spec.share_process_namespace);
  pod->windows = json_is_string(yyjson_obj_get(spec.os, "name"), TEXT("windows"));
  struct resource_count resources = {pod, gpu_resources, false};
  struct resource_count init_resources = {pod, gpu_resources, true};
  if (read_containers(&resources, spec.containers, arena, &pod->containers) != 0 ||
      read_containers(&init_resources, spec.init_containers, arena, &pod->init_containers) != 0) {
    return -1;
  }
  pod->ray = find_ray_container(&pod->containers);
  return 0;
}
