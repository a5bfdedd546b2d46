#include "admission/subject.h"

#include "admission/json.h"

int64_t saturating_times(int64_t a, int64_t b) {
  int64_t product = 0;
  return __builtin_mul_overflow(a, b, &product) ? INT64_MAX : product;
}

int64_t saturating_plus(int64_t a, int64_t b) {
  int64_t sum = 0;
  return __builtin_add_overflow(a, b, &sum) ? INT64_MAX : sum;
}

int64_t group_hosts(const struct group_view *group) {
  return group->hosts.value <= 0 ? 1 : group->hosts.value;
}

bool group_max_is_set(const struct group_view *group) {
  return group->max_replicas.state != COUNT_ABSENT &&
         group->max_replicas.value != MAX_REPLICAS_UNSET;
}

// ---- groups ----

static struct count read_count(yyjson_val *object, const char *key) {
  yyjson_val *source = json_get(object, key);
  if (source == NULL) {
    return (struct count){COUNT_ABSENT, 0, NULL};
  }
  int64_t value = 0;
  if (json_int64(source, &value)) {
    return (struct count){value < 0 ? COUNT_BAD : COUNT_OK, value < 0 ? 0 : value, source};
  }
  struct text text = json_scalar_text(source);
  bool huge = yyjson_is_raw(source) && text.len > 0 && text.data[0] != '-';
  return (struct count){COUNT_BAD, huge ? INT64_MAX : 0, source};
}

// A template's Ray container is the first one: nothing has been injected yet (semantics §4.3).
static int read_template(struct group_view *group, const struct text_list *gpu_resources,
                         struct arena *arena) {
  group->pod = arena_alloc(arena, sizeof *group->pod);
  if (group->pod == NULL || group->pod_path.data == NULL) {
    return -1;
  }
  // The group's path is the beginning of its template's, which saves making it.
  group->path = text_slice(group->pod_path, 0, group->pod_path.len - strlen(".template"));
  if (pod_view_read(json_get(group->object, "template"), gpu_resources, arena, group->pod) != 0) {
    return -1;
  }
  group->pod->ray = group->pod->containers.count > 0 ? group->pod->containers.items : NULL;
  return 0;
}

static int read_worker_group(yyjson_val *object, size_t index, struct text cluster_path,
                             const struct text_list *gpu_resources, struct arena *arena,
                             struct group_view *group) {
  *group = (struct group_view){
      .name = json_get_text(object, "groupName"),
      .pod_path =
          arena_printf(arena, "%.*s.workerGroupSpecs[%zu].template", TEXT_ARG(cluster_path), index),
      .object = object,
      .replicas = read_count(object, "replicas"),
      .min_replicas = read_count(object, "minReplicas"),
      .max_replicas = read_count(object, "maxReplicas"),
      .hosts = read_count(object, "numOfHosts"),
  };
  return read_template(group, gpu_resources, arena);
}

static int read_head_group(yyjson_val *object, struct text cluster_path,
                           const struct text_list *gpu_resources, struct arena *arena,
                           struct group_view *group) {
  *group = (struct group_view){
      .is_head = true,
      .name = TEXT("head"),
      .pod_path = arena_printf(arena, "%.*s.headGroupSpec.template", TEXT_ARG(cluster_path)),
      .object = object,
  };
  return read_template(group, gpu_resources, arena);
}

static int read_groups(struct subject *subject, const struct text_list *gpu_resources,
                       struct arena *arena) {
  yyjson_val *head = json_get(subject->cluster, "headGroupSpec");
  yyjson_val *workers = json_get(subject->cluster, "workerGroupSpecs");
  size_t worker_count = yyjson_arr_size(workers);
  subject->misplaced_groups = workers != NULL && !yyjson_is_arr(workers) ? workers : NULL;
  subject->groups = arena_calloc(arena, worker_count + 1, sizeof *subject->groups);
  if (subject->groups == NULL) {
    return -1;
  }
  struct group_view *group = subject->groups;
  if (head != NULL &&
      read_head_group(head, subject->cluster_path, gpu_resources, arena, group++) != 0) {
    return -1;
  }
  yyjson_arr_iter iter = yyjson_arr_iter_with(workers);
  for (size_t i = 0; i < worker_count; i++) {
    if (read_worker_group(yyjson_arr_iter_next(&iter), i, subject->cluster_path, gpu_resources,
                          arena, group++) != 0) {
      return -1;
    }
  }
  subject->group_count = (size_t)(group - subject->groups);
  return 0;
}

// ---- Ray resources (semantics §4.3) ----

struct ray_kind {
  struct text name;
  struct text path;
  const char *steps[2];  // from spec to the cluster spec
};

static const struct ray_kind ray_kinds[] = {
    {TEXT("RayCluster"), TEXT("spec"), {NULL, NULL}},
    {TEXT("RayJob"), TEXT("spec.rayClusterSpec"), {"rayClusterSpec", NULL}},
    {TEXT("RayService"), TEXT("spec.rayClusterConfig"), {"rayClusterConfig", NULL}},
    {TEXT("RayCronJob"),
     TEXT("spec.jobTemplate.rayClusterSpec"),
     {"jobTemplate", "rayClusterSpec"}},
};

static int read_ray(struct subject *subject, const struct ray_kind *kind,
                    const struct text_list *gpu_resources, struct arena *arena) {
  subject->kind = SUBJECT_RAY;
  subject->cluster_path = kind->path;
  subject->cluster = json_get(subject->object, "spec");
  for (size_t i = 0; i < 2 && kind->steps[i] != NULL; i++) {
    subject->cluster = json_get(subject->cluster, kind->steps[i]);
  }
  subject->autoscaling = json_is_true(json_get(subject->cluster, "enableInTreeAutoscaling"));
  return subject->cluster == NULL ? 1 : read_groups(subject, gpu_resources, arena) != 0 ? -1 : 1;
}

// ---- Pods ----

// semantics §4.4: ownerReferences with apiVersion ray.io/…, kind RayCluster, controller true.
static bool owned_by_ray_cluster(yyjson_val *metadata) {
  yyjson_arr_iter iter = yyjson_arr_iter_with(json_get(metadata, "ownerReferences"));
  for (yyjson_val *owner = yyjson_arr_iter_next(&iter); owner != NULL;
       owner = yyjson_arr_iter_next(&iter)) {
    if (json_is_true(yyjson_obj_get(owner, "controller")) &&
        json_is_string(yyjson_obj_get(owner, "kind"), TEXT("RayCluster")) &&
        text_starts_with(json_get_text(owner, "apiVersion"), TEXT("ray.io/"))) {
      return true;
    }
  }
  return false;
}

static int read_pod(struct subject *subject, const struct text_list *gpu_resources,
                    struct arena *arena) {
  struct group_view *group = arena_calloc(arena, 1, sizeof *group);
  struct pod_view *pod = arena_alloc(arena, sizeof *pod);
  if (group == NULL || pod == NULL ||
      pod_view_read(subject->object, gpu_resources, arena, pod) != 0) {
    return -1;
  }
  if (pod->role == POD_ROLE_NONE || pod->windows || pod->mirror) {
    return 0;
  }
  *group = (struct group_view){.is_head = pod->role == POD_ROLE_HEAD,
                               .object = subject->object,
                               .pod = pod,
                               .path = TEXT(""),
                               .pod_path = TEXT(""),
                               .name = TEXT("")};
  subject->kind = SUBJECT_POD;
  subject->owned = owned_by_ray_cluster(pod->metadata);
  subject->groups = group;
  subject->group_count = 1;
  return 1;
}

int subject_read(yyjson_val *object, struct text api_group, struct text kind_name,
                 const struct text_list *gpu_resources, struct arena *arena,
                 struct subject *ret_subject) {
  yyjson_val *metadata = json_get(object, "metadata");
  struct text name = json_get_text(metadata, "name");
  *ret_subject = (struct subject){
      .object = object,
      .kind_name = kind_name,
      .name = name.len > 0 ? name : json_get_text(metadata, "generateName"),
      .namespace_name = json_get_text(metadata, "namespace"),
      .labels = json_get(metadata, "labels"),
      .terminating = json_get(metadata, "deletionTimestamp") != NULL,
  };
  if (text_equals(api_group, TEXT("ray.io"))) {
    for (size_t i = 0; i < sizeof ray_kinds / sizeof ray_kinds[0]; i++) {
      if (text_equals(kind_name, ray_kinds[i].name)) {
        return read_ray(ret_subject, &ray_kinds[i], gpu_resources, arena);
      }
    }
    return 0;
  }
  if (api_group.len == 0 && text_equals(kind_name, TEXT("Pod"))) {
    return read_pod(ret_subject, gpu_resources, arena);
  }
  if (api_group.len == 0 && text_equals(kind_name, TEXT("Node"))) {
    ret_subject->kind = SUBJECT_NODE;
    return 1;
  }
  if (text_equals(api_group, TEXT("policy")) &&
      text_equals(kind_name, TEXT("PodDisruptionBudget"))) {
    ret_subject->kind = SUBJECT_PDB;
    return 1;
  }
  return 0;
}
