// /tmp/ray of GPU workers in memory, with a limit (semantics M5): logs and spilled objects there
// fill the node's disk otherwise, and the kubelet then evicts whatever pod it likes.

#include "admission/rule.h"

enum medium { MEDIUM_MEMORY, MEDIUM_DISK };
static const char *const medium_names[] = {"memory", "disk", NULL};

struct tmp_ray_memory {
  int medium;
  struct quantity max_size;
  struct quantity min_size;
  int64_t percent;
  bool convert_existing;
};

static const struct option options[] = {
    {.key = "medium",
     .type = OPTION_ENUM,
     .offset = offsetof(struct tmp_ray_memory, medium),
     .fallback = "memory",
     .names = medium_names,
     .help = "memory: a tmpfs at /tmp/ray; disk: only limits an emptyDir that is there"},
    {.key = "maxSize",
     .type = OPTION_QUANTITY,
     .offset = offsetof(struct tmp_ray_memory, max_size),
     .fallback = "16Gi",
     .help = "Upper bound of the size limit"},
    {.key = "percent",
     .type = OPTION_INT,
     .offset = offsetof(struct tmp_ray_memory, percent),
     .fallback = "25",
     .min = 1,
     .max = 100,
     .help = "Size limit as a share of the Ray container's memory limit"},
    {.key = "minSize",
     .type = OPTION_QUANTITY,
     .offset = offsetof(struct tmp_ray_memory, min_size),
     .fallback = "256Mi",
     .help = "Pods whose size limit would be smaller are left alone"},
    {.key = "convertExisting",
     .type = OPTION_BOOL,
     .offset = offsetof(struct tmp_ray_memory, convert_existing),
     .fallback = "true",
     .help = "Also convert an unlimited emptyDir that is mounted at /tmp/ray, such as the Helm "
             "chart's log-volume"},
};

#define MEBIBYTE (QUANTITY_NANO << 20)

// The names ray-tmp-memory, ray-tmp-memory-1, … that are tried.
#define VOLUME_NAMES_TRIED 100

// ---- where a mount stands ----

enum place { PLACE_ELSEWHERE, PLACE_ABOVE, PLACE_EXACT, PLACE_BELOW };

// Compares a mount path with /tmp/ray as the kubelet and the runtime read it: a relative path
// starts at the root, empty components and "." count for nothing, ".." goes up.
static enum place place_of(struct text path) {
  const struct text target[] = {TEXT("tmp"), TEXT("ray")};
  size_t depth = 0;
  size_t matched = 0;  // leading components that equal the target's
  for (size_t from = 0; from < path.len;) {
    size_t to = text_find(path, TEXT("/"), from);
    struct text part = text_slice(path, from, to);
    from = to + 1;
    if (part.len == 0 || text_equals(part, TEXT("."))) {
      continue;
    }
    if (text_equals(part, TEXT(".."))) {
      depth -= depth > 0 ? 1 : 0;
      matched = matched < depth ? matched : depth;
      continue;
    }
    if (matched == depth && depth < COUNT_OF(target) && text_equals(part, target[depth])) {
      matched++;
    }
    depth++;
  }
  if (matched == COUNT_OF(target)) {
    return depth == matched ? PLACE_EXACT : PLACE_BELOW;
  }
  return matched == depth ? PLACE_ABOVE : PLACE_ELSEWHERE;
}

static enum place mount_place(yyjson_val *mount) {
  return place_of(json_get_text(mount, "mountPath"));
}

struct ray_mounts {
  yyjson_val *exact;  // at /tmp/ray itself
  size_t exact_count;
  bool above;  // at /tmp or /
};

static struct ray_mounts find_mounts(yyjson_val *mounts) {
  struct ray_mounts found = {0};
  yyjson_arr_iter iter = yyjson_arr_iter_with(mounts);
  for (yyjson_val *mount = yyjson_arr_iter_next(&iter); mount != NULL;
       mount = yyjson_arr_iter_next(&iter)) {
    enum place place = mount_place(mount);
    if (place == PLACE_EXACT) {
      found.exact = mount;
      found.exact_count++;
    }
    found.above = found.above || place == PLACE_ABOVE;
  }
  return found;
}

static bool mounted_elsewhere(const struct container_list *containers, struct text volume) {
  for (size_t i = 0; i < containers->count; i++) {
    yyjson_arr_iter iter = yyjson_arr_iter_with(containers->items[i].volume_mounts);
    for (yyjson_val *mount = yyjson_arr_iter_next(&iter); mount != NULL;
         mount = yyjson_arr_iter_next(&iter)) {
      if (!text_equals(json_get_text(mount, "name"), volume)) {
        continue;
      }
      enum place place = mount_place(mount);
      if (place != PLACE_EXACT && place != PLACE_BELOW) {
        return true;
      }
    }
  }
  return false;
}

// The volume and its index; NULL when the pod has none of that name.
static yyjson_val *find_volume(yyjson_val *volumes, struct text name, size_t *ret_index) {
  size_t index = 0;
  yyjson_arr_iter iter = yyjson_arr_iter_with(volumes);
  for (yyjson_val *volume = yyjson_arr_iter_next(&iter); volume != NULL;
       volume = yyjson_arr_iter_next(&iter), index++) {
    if (yyjson_is_obj(volume) && text_equals(json_get_text(volume, "name"), name)) {
      *ret_index = index;
      return volume;
    }
  }
  return NULL;
}

// ---- how large ----

static bool memory_of(yyjson_val *resources, const char *kind, struct quantity *ret_memory) {
  yyjson_val *memory = json_get(json_get(resources, kind), "memory");
  return quantity_parse(json_scalar_text(memory), ret_memory);
}

// The size limit in whole Mi; 0, with a note, when the pod is to be left alone. Pages of a tmpfs
// count against the memory limit of the container that writes them, so without a known limit a
// tmpfs could take the node.
static long long size_limit(const struct pod_view *pod, const struct tmp_ray_memory *config,
                            struct patch *patch) {
  struct quantity memory = {0};
  if (!memory_of(pod->ray->resources, "limits", &memory) &&
      !memory_of(pod->pod_resources, "limits", &memory) &&
      !memory_of(pod->ray->resources, "requests", &memory)) {
    patch_note(patch, "the Ray container has no memory limit");
    return 0;
  }
  int128 share = memory.nano * config->percent / 100;
  int128 size = share < config->max_size.nano ? share : config->max_size.nano;
  int128 mebibytes = size / MEBIBYTE;
  if (mebibytes < 1 || mebibytes * MEBIBYTE < config->min_size.nano) {
    patch_note(patch, "%lld percent of the memory limit is below minSize",
               (long long)config->percent);
    return 0;
  }
  return (long long)mebibytes;
}

// ---- the two ways to act ----

static yyjson_mut_val *memory_empty_dir(struct patch *patch, struct text size) {
  yyjson_mut_val *empty_dir = value_object(patch);
  value_put_string(patch, empty_dir, "medium", TEXT("Memory"));
  value_put_string(patch, empty_dir, "sizeLimit", size);
  return empty_dir;
}

// The API server takes the empty string for "not set", too.
static bool is_set(yyjson_val *object, const char *member) {
  yyjson_val *value = json_get(object, member);
  return value != NULL && !json_is_string(value, TEXT(""));
}

// Why the volume at /tmp/ray must stay as it is; NULL when it may be converted in place.
static const char *reason_to_keep(const struct pod_view *pod, const struct ray_mounts *mounts,
                                  yyjson_val *volume) {
  if (mounts->exact_count > 1) {
    return "several volumes are mounted at /tmp/ray";
  }
  if (is_set(mounts->exact, "subPath") || is_set(mounts->exact, "subPathExpr")) {
    return "only a sub-path of the volume is mounted at /tmp/ray";
  }
  yyjson_val *empty_dir = json_get(volume, "emptyDir");
  if (!yyjson_is_obj(empty_dir)) {
    return "the volume at /tmp/ray is no emptyDir";
  }
  if (is_set(empty_dir, "sizeLimit") || is_set(empty_dir, "medium")) {
    return "the emptyDir at /tmp/ray has a medium or a size limit of its own";
  }
  struct text name = json_get_text(volume, "name");
  if (mounted_elsewhere(&pod->containers, name) || mounted_elsewhere(&pod->init_containers, name)) {
    return "the volume at /tmp/ray is also mounted elsewhere";
  }
  return NULL;
}

// The volume stays the same, so the history collector or a log shipper that shares it still does.
static void convert_volume(const struct pod_view *pod, const struct tmp_ray_memory *config,
                           const struct ray_mounts *mounts, struct patch *patch) {
  size_t index = 0;
  yyjson_val *volume = find_volume(pod->volumes, json_get_text(mounts->exact, "name"), &index);
  const char *reason = reason_to_keep(pod, mounts, volume);
  if (reason == NULL && !config->convert_existing) {
    reason = "convertExisting is false";
  }
  if (reason != NULL) {
    patch_note(patch, "%s", reason);
    return;
  }
  long long mebibytes = size_limit(pod, config, patch);
  if (mebibytes == 0) {
    return;
  }
  struct text size = patch_text(patch, "%lldMi", mebibytes);
  if (config->medium == MEDIUM_DISK) {
    patch_set(patch, value_string(patch, size), "/spec/volumes/%zu/emptyDir/sizeLimit", index);
  } else {
    patch_set(patch, memory_empty_dir(patch, size), "/spec/volumes/%zu/emptyDir", index);
  }
}

static struct text free_volume_name(const struct pod_view *pod, struct patch *patch) {
  size_t index = 0;
  struct text name = TEXT("ray-tmp-memory");
  for (int suffix = 1; name.data != NULL && find_volume(pod->volumes, name, &index) != NULL;
       suffix++) {
    if (suffix > VOLUME_NAMES_TRIED) {
      return TEXT("");
    }
    name = patch_text(patch, "ray-tmp-memory-%d", suffix);
  }
  return name;
}

static void add_volume(const struct pod_view *pod, const struct tmp_ray_memory *config,
                       struct patch *patch) {
  long long mebibytes = size_limit(pod, config, patch);
  if (mebibytes == 0) {
    return;
  }
  struct text name = free_volume_name(pod, patch);
  if (name.len == 0) {
    patch_note(patch, "every volume name from ray-tmp-memory to ray-tmp-memory-%d is taken",
               VOLUME_NAMES_TRIED);
    return;
  }
  yyjson_mut_val *volume = value_object(patch);
  value_put_string(patch, volume, "name", name);
  value_put(patch, volume, "emptyDir",
            memory_empty_dir(patch, patch_text(patch, "%lldMi", mebibytes)));
  patch_append(patch, volume, "/spec/volumes");
  yyjson_mut_val *mount = value_object(patch);
  value_put_string(patch, mount, "name", name);
  value_put_string(patch, mount, "mountPath", TEXT("/tmp/ray"));
  patch_append(patch, mount, "/spec/containers/%zu/volumeMounts", pod->ray->index);
}

static bool applies(const struct pod_view *pod, const void *settings) {
  (void)settings;
  return pod->role == POD_ROLE_WORKER && pod->gpus.nano > 0;
}

static void apply(const struct pod_view *pod, const void *settings, struct patch *patch) {
  const struct tmp_ray_memory *config = settings;
  struct ray_mounts mounts = find_mounts(pod->ray->volume_mounts);
  if (mounts.exact != NULL) {
    convert_volume(pod, config, &mounts, patch);
  } else if (mounts.above) {
    // If it were read-only the runtime could not create the mount point.
    patch_note(patch, "a parent of /tmp/ray is a mount");
  } else if (config->medium == MEDIUM_DISK) {
    patch_note(patch, "no emptyDir at /tmp/ray to limit");
  } else {
    add_volume(pod, config, patch);
  }
}

const struct mutator mutator_tmp_ray_memory = {
    .name = "tmp-ray-memory",
    .summary = "Puts /tmp/ray of GPU workers into memory, with a size limit",
    .default_mode = MODE_ENFORCE,
    .options = options,
    .option_count = COUNT_OF(options),
    .options_size = sizeof(struct tmp_ray_memory),
    .applies = applies,
    .apply = apply,
};
