// wait-gcs (semantics §2 M1, M1b): the init container in which KubeRay lets a worker wait for the
// GCS starts `ray health-check` every 5 s, which needs 90 MB and leaves PID 1 deaf to SIGTERM. This
// puts a small program in its place, repairs a duplicate that the API server would refuse, and adds
// the container where there is none.
#include "admission/rule.h"

#define CONTAINER_NAME TEXT("wait-gcs-ready")
#define HEALTH_CHECK TEXT("ray health-check --address ")
#define SERVICE_ACCOUNT_PATH TEXT("/var/run/secrets/kubernetes.io/serviceaccount")

enum check { CHECK_SHELL, CHECK_PYTHON, CHECK_NATIVE };
static const char *const check_names[] = {"shell", "python", "native", NULL};

struct wait_gcs_options {
  int check;
  struct text image;
  int64_t timeout;  // milliseconds
  bool inject_when_missing;
};

// ---- the init containers named wait-gcs-ready ----

// KubeRay's own, as it is in v0.6 to v1.7: `/bin/bash X --` with one script that asks for the
// health.
static bool is_kuberay(const struct container_view *container) {
  struct text flags = json_text(yyjson_arr_get(container->command, 1));
  return yyjson_arr_size(container->command) == 3 &&
         json_is_string(yyjson_arr_get(container->command, 0), TEXT("/bin/bash")) &&
         (text_equals(flags, TEXT("-c")) || text_equals(flags, TEXT("-lc")) ||
          text_equals(flags, TEXT("-cl"))) &&
         json_is_string(yyjson_arr_get(container->command, 2), TEXT("--")) &&
         yyjson_arr_size(container->args) == 1 &&
         text_contains(json_text(yyjson_arr_get(container->args, 0)), HEALTH_CHECK);
}

struct waiting {
  size_t count;
  size_t kuberay_count;
  const struct container_view *kuberay;
};

static struct waiting find_waiting(const struct pod_view *pod) {
  struct waiting waiting = {0};
  for (size_t i = 0; i < pod->init_containers.count; i++) {
    const struct container_view *container = &pod->init_containers.items[i];
    if (!json_is_string(container->name, CONTAINER_NAME)) {
      continue;
    }
    waiting.count++;
    if (is_kuberay(container)) {
      waiting.kuberay_count++;
      waiting.kuberay = container;
    }
  }
  return waiting;
}

// ---- the program ----

// How to ask whether the GCS is there. A TLS server is silent until the client speaks, so the
// scripts can only connect; the native program can say ClientHello. NULL: nobody knows.
static const char *choose_mode(const struct container_view *container, int check) {
  struct env_value tls = container_env(container, TEXT("RAY_USE_TLS"));
  if (tls.kind == ENV_INDIRECT ||
      (tls.kind == ENV_ABSENT && yyjson_arr_size(container->env_from) > 0)) {
    return check == CHECK_NATIVE ? "auto" : NULL;
  }
  if (text_equals(tls.value, TEXT("1")) || text_equals_ignoring_case(tls.value, TEXT("true"))) {
    return check == CHECK_NATIVE ? "tls" : "tcp";
  }
  return "h2";
}

// All that is needed to write the container.
struct program {
  const struct wait_gcs_options *options;
  struct gcs_address address;
  const char *mode;
  struct text seconds;  // 0: wait without end
};

static bool program_plan(struct program *program, const struct container_view *container,
                         struct patch *patch) {
  const struct wait_gcs_options *options = program->options;
  program->mode = choose_mode(container, options->check);
  if (program->mode == NULL) {
    patch_note(patch, "RAY_USE_TLS is not a literal: only check: native can tell what to ask");
    return false;
  }
  if (options->check == CHECK_NATIVE && options->image.len == 0) {
    patch_note(patch, "check: native needs the option image");
    return false;
  }
  program->seconds = patch_text(patch, "%lld", (long long)(options->timeout + 999) / 1000);
  return true;
}

// The script that bash runs.
static yyjson_mut_val *bash_script(const struct program *program, struct patch *patch) {
  const struct script_value values[] = {
      {TEXT("@HOST@"), program->address.host},  {TEXT("@PORT@"), program->address.port},
      {TEXT("@MODE@"), text_of(program->mode)}, {TEXT("@TIMEOUT@"), program->seconds},
      {TEXT("@PROGRAM@"), wait_gcs_py},
  };
  bool python = program->options->check == CHECK_PYTHON;
  return value_string(patch, script_fill(patch, python ? wait_gcs_python_sh : wait_gcs_sh, values,
                                         COUNT_OF(values)));
}

static yyjson_mut_val *string_list(struct patch *patch, const struct text *items, size_t count) {
  yyjson_mut_val *list = value_array(patch);
  for (size_t i = 0; i < count; i++) {
    value_push_string(patch, list, items[i]);
  }
  return list;
}

static yyjson_mut_val *native_args(const struct program *program, struct patch *patch) {
  const struct gcs_address *address = &program->address;
  const struct text args[] = {
      patch_text(patch, "%.*s:%.*s", TEXT_ARG(address->host), TEXT_ARG(address->port)),
      patch_text(patch, "--mode=%s", program->mode),
      patch_text(patch, "--timeout=%.*ss", TEXT_ARG(program->seconds)),
  };
  return string_list(patch, args, program->options->timeout > 0 ? 3 : 2);
}

static yyjson_mut_val *native_command(struct patch *patch) {
  return string_list(patch, (const struct text[]){TEXT("/wait-gcs")}, 1);
}

// ---- native mode ----

static void keep_id(struct patch *patch, yyjson_mut_val *context, const char *key,
                    yyjson_val *before) {
  int64_t id = 0;
  if (json_int64(json_get(before, key), &id) && id > 0) {
    value_put_int(patch, context, key, id);
  }
}

// What the restricted Pod Security Standard asks for. No user of our own: OpenShift gives each
// namespace a range. Under a pod that says root, runAsNonRoot would keep the container from
// starting.
static yyjson_mut_val *native_security_context(const struct pod_view *pod, yyjson_val *before,
                                               struct patch *patch) {
  yyjson_mut_val *context = value_object(patch);
  yyjson_mut_val *capabilities = value_object(patch);
  yyjson_mut_val *profile = value_object(patch);
  value_put(patch, capabilities, "drop", string_list(patch, (const struct text[]){TEXT("ALL")}, 1));
  value_put_string(patch, profile, "type", TEXT("RuntimeDefault"));
  value_put_bool(patch, context, "allowPrivilegeEscalation", false);
  value_put(patch, context, "capabilities", capabilities);
  value_put_bool(patch, context, "readOnlyRootFilesystem", true);
  int64_t pod_user = -1;
  int64_t user = 0;
  bool root =
      json_int64(json_get(json_get(pod->spec, "securityContext"), "runAsUser"), &pod_user) &&
      pod_user == 0;
  if (!root || (json_int64(json_get(before, "runAsUser"), &user) && user > 0)) {
    value_put_bool(patch, context, "runAsNonRoot", true);
  }
  keep_id(patch, context, "runAsUser", before);
  keep_id(patch, context, "runAsGroup", before);
  yyjson_val *selinux = json_get(before, "seLinuxOptions");
  if (selinux != NULL) {
    value_put(patch, context, "seLinuxOptions", value_copy(patch, selinux));
  }
  value_put(patch, context, "seccompProfile", profile);
  return context;
}

// The mounts go, all but the service account's, which its admission plugin would put back.
static void native_mounts(const struct container_view *container, struct patch *patch) {
  yyjson_mut_val *kept = NULL;
  yyjson_arr_iter iter = yyjson_arr_iter_with(container->volume_mounts);
  for (yyjson_val *mount = yyjson_arr_iter_next(&iter); mount != NULL;
       mount = yyjson_arr_iter_next(&iter)) {
    if (json_is_string(json_get(mount, "mountPath"), SERVICE_ACCOUNT_PATH) && kept == NULL) {
      kept = value_array(patch);
      value_push(patch, kept, value_copy(patch, mount));
    }
  }
  if (kept == NULL) {
    patch_remove(patch, "/spec/initContainers/%zu/volumeMounts", container->index);
  } else if (yyjson_arr_size(container->volume_mounts) > 1) {
    patch_set(patch, kept, "/spec/initContainers/%zu/volumeMounts", container->index);
  }
}

static void rewrite_native(const struct pod_view *pod, const struct container_view *container,
                           const struct program *program, struct patch *patch) {
  size_t index = container->index;
  patch_set(patch, value_string(patch, program->options->image), "/spec/initContainers/%zu/image",
            index);
  patch_set(patch, native_command(patch), "/spec/initContainers/%zu/command", index);
  patch_set(patch, native_args(program, patch), "/spec/initContainers/%zu/args", index);
  patch_remove(patch, "/spec/initContainers/%zu/env", index);
  patch_remove(patch, "/spec/initContainers/%zu/envFrom", index);
  native_mounts(container, patch);
  patch_set(patch, native_security_context(pod, container->security_context, patch),
            "/spec/initContainers/%zu/securityContext", index);
}

// ---- M1: KubeRay's container gets another program ----

static void rewrite(const struct pod_view *pod, const struct container_view *container,
                    struct program *program, struct patch *patch) {
  struct text script = json_text(yyjson_arr_get(container->args, 0));
  if (!gcs_address_in_script(script, HEALTH_CHECK, &program->address)) {
    patch_note(patch, "the address of ray health-check is not one plain HOST:PORT");
    return;
  }
  if (!program_plan(program, container, patch)) {
    return;
  }
  if (program->options->check == CHECK_NATIVE) {
    rewrite_native(pod, container, program, patch);
  } else {
    patch_set(patch, bash_script(program, patch), "/spec/initContainers/%zu/args/0",
              container->index);
  }
}

// ---- M1-inject: a worker without the container gets one ----

// The Ray container's own, without GPUs: a pod's request is the larger of init and main, so that
// they cost nothing, while smaller ones can break a LimitRange or the Guaranteed class.
static yyjson_mut_val *copy_resources(yyjson_val *resources, struct patch *patch) {
  static const char *const kinds[] = {"requests", "limits"};
  static const char *const names[] = {"cpu", "memory", "ephemeral-storage"};
  yyjson_mut_val *copy = NULL;
  for (size_t i = 0; i < COUNT_OF(kinds); i++) {
    yyjson_val *amounts = json_get(resources, kinds[i]);
    yyjson_mut_val *kind = NULL;
    for (size_t j = 0; j < COUNT_OF(names); j++) {
      yyjson_val *amount = json_get(amounts, names[j]);
      if (amount != NULL) {
        kind = kind == NULL ? value_object(patch) : kind;
        value_put(patch, kind, names[j], value_copy(patch, amount));
      }
    }
    if (kind != NULL) {
      copy = copy == NULL ? value_object(patch) : copy;
      value_put(patch, copy, kinds[i], kind);
    }
  }
  return copy;
}

static void put_copy(struct patch *patch, yyjson_mut_val *object, const char *key,
                     yyjson_val *value) {
  if (value != NULL) {
    value_put(patch, object, key, value_copy(patch, value));
  }
}

static void put_bash(struct patch *patch, yyjson_mut_val *container, const char *flags,
                     const struct program *program) {
  const struct text command[] = {TEXT("/bin/bash"), text_of(flags), TEXT("--")};
  yyjson_mut_val *args = value_array(patch);
  value_push(patch, args, bash_script(program, patch));
  value_put(patch, container, "command", string_list(patch, command, COUNT_OF(command)));
  value_put(patch, container, "args", args);
}

// Python without bash around it.
static void put_python(struct patch *patch, yyjson_mut_val *container,
                       const struct program *program) {
  const struct text command[] = {
      TEXT("python3"),
      TEXT("-I"),
      TEXT("-S"),
      TEXT("-B"),
      TEXT("-c"),
      wait_gcs_py,
      program->address.host,
      program->address.port,
      text_of(program->mode),
      program->seconds,
  };
  value_put(patch, container, "command", string_list(patch, command, COUNT_OF(command)));
}

static yyjson_mut_val *new_container(const struct pod_view *pod, const struct program *program,
                                     struct patch *patch) {
  const struct container_view *ray = pod->ray;
  enum container_shell shell = container_shell(ray);
  int check = program->options->check;
  yyjson_mut_val *container = value_object(patch);
  value_put_string(patch, container, "name", CONTAINER_NAME);
  if (check == CHECK_NATIVE) {
    value_put_string(patch, container, "image", program->options->image);
    value_put(patch, container, "command", native_command(patch));
    value_put(patch, container, "args", native_args(program, patch));
  } else {
    put_copy(patch, container, "image", ray->image);
    put_copy(patch, container, "imagePullPolicy", ray->image_pull_policy);
    if (check == CHECK_PYTHON && shell == SHELL_OTHER) {
      put_python(patch, container, program);
    } else {
      // python3 may be on the PATH of a login shell only
      bool login = check == CHECK_PYTHON && shell == SHELL_BASH_LOGIN;
      put_bash(patch, container, login ? "-lc" : "-c", program);
    }
  }
  yyjson_mut_val *resources = copy_resources(ray->resources, patch);
  if (resources != NULL) {
    value_put(patch, container, "resources", resources);
  }
  if (check == CHECK_NATIVE) {
    value_put(patch, container, "securityContext",
              native_security_context(pod, ray->security_context, patch));
  } else {
    put_copy(patch, container, "securityContext", ray->security_context);
  }
  return container;
}

static void inject(const struct pod_view *pod, struct program *program, struct patch *patch) {
  if (program->options->check == CHECK_SHELL && container_shell(pod->ray) == SHELL_OTHER) {
    patch_note(patch, "no wait-gcs-ready added: the Ray container does not start with bash");
    return;
  }
  if (!gcs_address_of_ray(pod->ray, &program->address) || gcs_address_is_local(&program->address)) {
    patch_note(patch, "no wait-gcs-ready added: no plain HOST:PORT of a head elsewhere");
    return;
  }
  if (program_plan(program, pod->ray, patch)) {
    patch_append(patch, new_container(pod, program, patch), "/spec/initContainers");
  }
}

// ---- the rule ----

static bool wait_gcs_applies(const struct pod_view *pod, const void *settings) {
  const struct wait_gcs_options *options = settings;
  if (pod->role != POD_ROLE_WORKER) {
    return false;
  }
  struct waiting waiting = find_waiting(pod);
  return waiting.count == 0 ? options->inject_when_missing : waiting.kuberay_count > 0;
}

static void wait_gcs_apply(const struct pod_view *pod, const void *settings, struct patch *patch) {
  struct waiting waiting = find_waiting(pod);
  struct program program = {.options = settings};
  if (waiting.count == 0) {
    inject(pod, &program, patch);
  } else if (waiting.kuberay_count > 1) {
    patch_note(patch, "several init containers look like KubeRay's wait-gcs-ready");
  } else if (waiting.count > 1) {
    // M1b: a user's own is there to take KubeRay's place, and the API server refuses both.
    patch_remove(patch, "/spec/initContainers/%zu", waiting.kuberay->index);
  } else {
    rewrite(pod, waiting.kuberay, &program, patch);
  }
}

static const struct option wait_gcs_option_rows[] = {
    {.key = "check",
     .type = OPTION_ENUM,
     .offset = offsetof(struct wait_gcs_options, check),
     .fallback = "shell",
     .names = check_names,
     .help = "program that waits: shell, python (bash without /dev/tcp), or native (needs image)"},
    {.key = "image",
     .type = OPTION_STRING,
     .offset = offsetof(struct wait_gcs_options, image),
     .fallback = "",
     .help = "image of the native program, multi-arch and with a numeric USER"},
    {.key = "timeout",
     .type = OPTION_DURATION,
     .offset = offsetof(struct wait_gcs_options, timeout),
     .fallback = "0s",
     .min = 0,
     .max = 86400000,
     .help = "give up after this time and let the kubelet restart the container; 0: never"},
    {.key = "injectWhenMissing",
     .type = OPTION_BOOL,
     .offset = offsetof(struct wait_gcs_options, inject_when_missing),
     .fallback = "true",
     .help = "add the init container to workers that have none"},
};

const struct mutator mutator_wait_gcs = {
    .name = "wait-gcs",
    .summary = "Wait for the GCS with a socket check that needs 4 MB, not with ray health-check",
    .default_mode = MODE_ENFORCE,
    .options = wait_gcs_option_rows,
    .option_count = COUNT_OF(wait_gcs_option_rows),
    .options_size = sizeof(struct wait_gcs_options),
    .applies = wait_gcs_applies,
    .apply = wait_gcs_apply,
};
