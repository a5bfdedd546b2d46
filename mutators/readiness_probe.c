// A readiness probe for heads that have none (semantics M3). KubeRay injects good probes since
// v1.1; heads without one come from ENABLE_PROBES_INJECTION=false, KubeRay 1.0, or no operator. A
// tcpSocket probe is replaced: the port answers long before Ray is healthy.

#include "admission/rule.h"

enum role_bit { ROLE_BIT_HEAD, ROLE_BIT_WORKER };
static const char *const role_names[] = {"head", "worker", NULL};

enum probe_kind { PROBE_EXEC, PROBE_GRPC };
static const char *const kind_names[] = {"exec", "grpc", NULL};

struct readiness_probe {
  unsigned roles;
  int kind;
};

static const struct option options[] = {
    {.key = "roles",
     .type = OPTION_ENUM_SET,
     .offset = offsetof(struct readiness_probe, roles),
     .fallback = "head",
     .names = role_names,
     .help = "Pods that get a probe. A worker's probe asks the head's GCS, so with worker a GCS "
             "outage takes every worker out of its Services; refused for RayService workers"},
    {.key = "kind",
     .type = OPTION_ENUM,
     .offset = offsetof(struct readiness_probe, kind),
     .fallback = "exec",
     .names = kind_names,
     .help = "exec: ray health-check; grpc: the kubelet asks the head's GCS itself, without TLS "
             "and token authentication only"},
};

#define GCS_PORT_DEFAULT 6379

// True if there is no probe, or one that only opens a TCP connection.
static bool wants_probe(yyjson_val *probe) {
  return probe == NULL ||
         (json_get(probe, "tcpSocket") != NULL && json_get(probe, "exec") == NULL &&
          json_get(probe, "httpGet") == NULL && json_get(probe, "grpc") == NULL);
}

static bool applies(const struct pod_view *pod, const void *settings) {
  const struct readiness_probe *config = settings;
  unsigned role = pod->role == POD_ROLE_HEAD ? 1U << ROLE_BIT_HEAD : 1U << ROLE_BIT_WORKER;
  return (config->roles & role) != 0 && wants_probe(pod->ray->readiness_probe);
}

// ---- the port of a head's GCS ----

static bool port_parse(struct text digits, int *ret_port) {
  unsigned long long port = 0;
  if (!text_to_unsigned(digits, 65535, &port) || port == 0) {
    return false;
  }
  *ret_port = (int)port;
  return true;
}

// Offset behind the first "--port" of `line` that is the whole name of a flag; line.len + 1 without
// one.
static size_t behind_port_flag(struct text line) {
  const struct text flag = TEXT("--port");
  for (size_t at = text_find(line, flag, 0); at < line.len; at = text_find(line, flag, at + 1)) {
    size_t end = at + flag.len;
    if (end == line.len || line.data[end] == '=' || line.data[end] == ' ') {
      return end;
    }
  }
  return line.len + 1;
}

// The value of the first "--port=N" or "--port N" among the strings of a command; .data NULL
// without one.
static struct text port_flag(yyjson_val *strings) {
  bool value_is_next = false;
  yyjson_arr_iter iter = yyjson_arr_iter_with(strings);
  for (yyjson_val *item = yyjson_arr_iter_next(&iter); item != NULL;
       item = yyjson_arr_iter_next(&iter)) {
    struct text line = json_text(item);
    size_t from = value_is_next ? 0 : behind_port_flag(line) + 1;
    value_is_next = !value_is_next && from == line.len + 1;
    if (value_is_next || from > line.len) {
      continue;
    }
    size_t to = from;
    while (to < line.len && strchr(" \t\n;&|", line.data[to]) == NULL) {
      to++;
    }
    return text_slice(line, from, to);
  }
  return (struct text){NULL, 0};
}

// The port of the GCS on a head; false when nobody can know it here, as with `--port=$PORT`: a
// probe of the wrong port would keep the head unready for ever.
static bool head_port(const struct container_view *ray, int *ret_port) {
  struct env_value port = container_env(ray, TEXT("RAY_PORT"));
  if (port.kind != ENV_ABSENT) {
    return port.kind == ENV_LITERAL && port_parse(port.value, ret_port);
  }
  struct text flag = port_flag(ray->args);
  if (flag.data == NULL) {
    flag = port_flag(ray->command);
  }
  if (flag.data != NULL) {
    return port_parse(flag, ret_port);
  }
  *ret_port = GCS_PORT_DEFAULT;
  return true;
}

static bool is_local(struct env_value address) {
  return address.kind == ENV_LITERAL && (text_starts_with(address.value, TEXT("127.0.0.1:")) ||
                                         text_starts_with(address.value, TEXT("localhost:")));
}

// ---- kind exec ----

// The command line of the probe; .data NULL, with a note, when it cannot be known.
static struct text health_check(const struct pod_view *pod, struct patch *patch) {
  struct env_value address = container_env(pod->ray, TEXT("RAY_ADDRESS"));
  if (pod->role == POD_ROLE_WORKER) {
    if (address.kind == ENV_ABSENT) {
      patch_note(patch, "the worker has no RAY_ADDRESS to check");
      return (struct text){NULL, 0};
    }
    return TEXT("ray health-check");
  }
  if (is_local(address)) {
    return TEXT("ray health-check");
  }
  int port = 0;
  if (!head_port(pod->ray, &port)) {
    patch_note(patch, "the port of the GCS cannot be read from RAY_PORT or --port");
    return (struct text){NULL, 0};
  }
  return patch_text(patch, "ray health-check --address 127.0.0.1:%d", port);
}

// A login shell where the container itself starts in one: the PATH may come from a profile.
static yyjson_mut_val *probe_command(const struct pod_view *pod, struct text line,
                                     struct patch *patch) {
  yyjson_mut_val *command = value_array(patch);
  if (container_shell(pod->ray) == SHELL_BASH_LOGIN) {
    value_push_string(patch, command, TEXT("/bin/bash"));
    value_push_string(patch, command, TEXT("-lc"));
    value_push_string(patch, command, line);
    return command;
  }
  for (size_t from = 0; from < line.len;) {
    size_t to = text_find(line, TEXT(" "), from);
    value_push_string(patch, command, text_slice(line, from, to));
    from = to + 1;
  }
  return command;
}

// The kubelet enforces exec timeouts, and one start of the ray CLI takes seconds on a throttled
// CPU. 4 failures of 15 s are the 60 s that a raylet survives without its GCS (semantics M3).
static yyjson_mut_val *exec_probe(const struct pod_view *pod, struct patch *patch) {
  struct text line = health_check(pod, patch);
  if (line.data == NULL) {
    return NULL;
  }
  yyjson_mut_val *exec = value_object(patch);
  value_put(patch, exec, "command", probe_command(pod, line, patch));
  yyjson_mut_val *probe = value_object(patch);
  value_put(patch, probe, "exec", exec);
  value_put_int(patch, probe, "initialDelaySeconds", 10);
  value_put_int(patch, probe, "periodSeconds", 15);
  value_put_int(patch, probe, "timeoutSeconds", 15);
  value_put_int(patch, probe, "failureThreshold", 4);
  value_put_int(patch, probe, "successThreshold", 1);
  return probe;
}

// ---- kind grpc ----

// Why the kubelet could not ask the GCS itself; NULL when it can.
static const char *grpc_obstacle(const struct pod_view *pod) {
  struct env_value tls = container_env(pod->ray, TEXT("RAY_USE_TLS"));
  struct env_value token = container_env(pod->ray, TEXT("RAY_AUTH_MODE"));
  if (pod->role == POD_ROLE_WORKER) {
    return "a gRPC probe asks the pod itself, and a worker has no GCS";
  }
  if (yyjson_get_len(pod->ray->env_from) > 0 &&
      (tls.kind == ENV_ABSENT || token.kind == ENV_ABSENT)) {
    return "envFrom may turn on TLS or token authentication";
  }
  if (tls.kind == ENV_INDIRECT || text_equals(tls.value, TEXT("1")) ||
      text_equals_ignoring_case(tls.value, TEXT("true"))) {
    return "the kubelet's gRPC probe has no TLS";
  }
  if (token.kind == ENV_INDIRECT || text_equals_ignoring_case(token.value, TEXT("token"))) {
    return "the kubelet's gRPC probe has no token";
  }
  return NULL;
}

static yyjson_mut_val *grpc_probe(const struct pod_view *pod, struct patch *patch) {
  const char *obstacle = grpc_obstacle(pod);
  if (obstacle != NULL) {
    patch_note(patch, "%s", obstacle);
    return NULL;
  }
  int port = 0;
  if (!head_port(pod->ray, &port)) {
    patch_note(patch, "the port of the GCS cannot be read from RAY_PORT or --port");
    return NULL;
  }
  yyjson_mut_val *grpc = value_object(patch);
  value_put_int(patch, grpc, "port", port);
  yyjson_mut_val *probe = value_object(patch);
  value_put(patch, probe, "grpc", grpc);
  value_put_int(patch, probe, "periodSeconds", 5);
  value_put_int(patch, probe, "timeoutSeconds", 3);
  value_put_int(patch, probe, "failureThreshold", 12);
  return probe;
}

static void apply(const struct pod_view *pod, const void *settings, struct patch *patch) {
  const struct readiness_probe *config = settings;
  if (pod->role == POD_ROLE_WORKER &&
      text_equals(json_get_text(pod->labels, "ray.io/serve"), TEXT("true"))) {
    patch_note(patch, "a probe of the GCS on RayService workers would undo GCS fault tolerance");
    return;
  }
  yyjson_mut_val *probe =
      config->kind == PROBE_GRPC ? grpc_probe(pod, patch) : exec_probe(pod, patch);
  if (probe != NULL) {
    patch_set(patch, probe, "/spec/containers/%zu/readinessProbe", pod->ray->index);
  }
}

const struct mutator mutator_readiness_probe = {
    .name = "readiness-probe",
    .summary = "Gives heads without a readiness probe `ray health-check`",
    .default_mode = MODE_ENFORCE,
    .options = options,
    .option_count = COUNT_OF(options),
    .options_size = sizeof(struct readiness_probe),
    .applies = applies,
    .apply = apply,
};
