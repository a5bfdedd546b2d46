// What the level `baseline` of the Pod Security Standards forbids, in the templates of Ray
// resources (semantics §6.9). PodSecurity admission warns about the templates of Deployments and
// Jobs but does not know RayCluster: today people find the refusal in events. The controls are
// those of the Kubernetes documentation, Pod Security Standards, as of 1.35.

#include "admission/rule.h"

// One pod and where findings about it go.
struct scan {
  const struct group_view *group;
  const struct container_view *container;  // NULL for the pod itself
  const char *part;                        // "spec" or "metadata" of the pod
  const char *list;                        // the container's: "containers"…
  bool user_namespace;                     // hostUsers is false
  struct findings *findings;
};

// The path of a `field` of the container or the pod. Made only for findings, which are rare.
static struct text path_of(const struct scan *scan, struct text field) {
  struct text part = findings_path(scan->findings, scan->group->pod_path, scan->part);
  if (scan->container == NULL) {
    return findings_text(scan->findings, "%.*s.%.*s", TEXT_ARG(part), TEXT_ARG(field));
  }
  return findings_text(scan->findings, "%.*s.%s[%zu].%.*s", TEXT_ARG(part), scan->list,
                       scan->container->index, TEXT_ARG(field));
}

// Adds a finding about a `field`. `what` follows "container 'c'".
static void add(const struct scan *scan, struct text field, struct text what, struct text found,
                const char *wanted) {
  struct findings *findings = scan->findings;
  const struct container_view *container = scan->container;
  struct text title = container == NULL ? group_title(findings, scan->group)
                                        : container_title(findings, scan->group, container);
  struct text key = findings_text(findings, "%.*s %.*s", TEXT_ARG(title), TEXT_ARG(what));
  findings_add(findings, (struct finding){
                             .path = path_of(scan, field),
                             .message = findings_text(
                                 findings, "%.*s %.*s; Pod Security level baseline forbids it",
                                 TEXT_ARG(title), TEXT_ARG(what)),
                             .found = found,
                             .wanted = text_of(wanted),
                             .fix = TEXT("remove it, or run the cluster in a namespace whose label "
                                         "pod-security.kubernetes.io/enforce is privileged"),
                             .key = group_key(findings, scan->group, key),
                         });
}

static struct text concat(const struct scan *scan, const char *before, struct text value,
                          const char *after) {
  return findings_text(scan->findings, "%s%.*s%s", before, TEXT_ARG(name_text(value)), after);
}

static bool is_any_of(struct text value, const char *const *names, size_t count) {
  for (size_t i = 0; i < count; i++) {
    if (text_equals(value, text_of(names[i]))) {
      return true;
    }
  }
  return false;
}

// ---- security contexts: what pods and containers have in common ----

static void check_profile(const struct scan *scan, yyjson_val *context, const char *name,
                          const char *title) {
  static const char *const allowed[] = {"RuntimeDefault", "Localhost"};
  yyjson_val *profile = json_get(context, name);
  yyjson_val *type = json_get(profile, "type");
  if (type != NULL && !is_any_of(json_text(type), allowed, COUNT_OF(allowed))) {
    struct text field = findings_text(scan->findings, "securityContext.%s.type", name);
    struct text what = findings_text(scan->findings, "sets the %s profile '%.*s'", title,
                                     TEXT_ARG(name_text(json_text(type))));
    add(scan, field, what, value_text(scan->findings, type),
        "RuntimeDefault, Localhost or nothing");
  }
}

static void check_selinux(const struct scan *scan, yyjson_val *context) {
  static const char *const types[] = {"", "container_t", "container_init_t", "container_kvm_t",
                                      "container_engine_t"};
  yyjson_val *selinux = json_get(context, "seLinuxOptions");
  struct text type = json_get_text(selinux, "type");
  if (!is_any_of(type, types, COUNT_OF(types))) {
    add(scan, TEXT("securityContext.seLinuxOptions.type"),
        concat(scan, "sets the SELinux type '", type, "'"), name_text(type),
        "container_t, container_init_t, container_kvm_t, container_engine_t or nothing");
  }
  static const char *const members[] = {"user", "role"};
  for (size_t i = 0; i < COUNT_OF(members); i++) {
    struct text value = json_get_text(selinux, members[i]);
    if (value.len > 0) {
      struct text field =
          findings_text(scan->findings, "securityContext.seLinuxOptions.%s", members[i]);
      struct text what = findings_text(scan->findings, "sets the SELinux %s", members[i]);
      add(scan, field, what, name_text(value), "nothing");
    }
  }
}

static void check_context(const struct scan *scan, yyjson_val *context) {
  check_profile(scan, context, "seccompProfile", "seccomp");
  check_profile(scan, context, "appArmorProfile", "AppArmor");
  check_selinux(scan, context);
  if (json_is_true(json_get(json_get(context, "windowsOptions"), "hostProcess"))) {
    add(scan, TEXT("securityContext.windowsOptions.hostProcess"), TEXT("is a Windows HostProcess"),
        TEXT("true"), "false or nothing");
  }
}

// ---- containers ----

static void check_capabilities(const struct scan *scan, yyjson_val *context) {
  static const char *const allowed[] = {
      "AUDIT_WRITE", "CHOWN",  "DAC_OVERRIDE",     "FOWNER",  "FSETID", "KILL",      "MKNOD",
      "SETFCAP",     "SETGID", "NET_BIND_SERVICE", "SETPCAP", "SETUID", "SYS_CHROOT"};
  yyjson_arr_iter iter = yyjson_arr_iter_with(json_get(json_get(context, "capabilities"), "add"));
  for (yyjson_val *item = yyjson_arr_iter_next(&iter); item != NULL;
       item = yyjson_arr_iter_next(&iter)) {
    if (yyjson_is_str(item) && !is_any_of(json_text(item), allowed, COUNT_OF(allowed))) {
      add(scan, TEXT("securityContext.capabilities.add"),
          concat(scan, "adds the capability ", json_text(item), ""), name_text(json_text(item)),
          "only capabilities of the runtime's default set");
    }
  }
}

static void check_host_ports(const struct scan *scan) {
  size_t index = 0;
  yyjson_arr_iter iter = yyjson_arr_iter_with(json_get(scan->container->object, "ports"));
  for (yyjson_val *port = yyjson_arr_iter_next(&iter); port != NULL;
       port = yyjson_arr_iter_next(&iter), index++) {
    yyjson_val *host_port = json_get(port, "hostPort");
    struct text number = json_scalar_text(host_port);
    if (number.len > 0 && !text_equals(number, TEXT("0"))) {
      struct text field = findings_text(scan->findings, "ports[%zu].hostPort", index);
      add(scan, field, concat(scan, "uses the host port ", number, ""),
          value_text(scan->findings, host_port), "no hostPort");
    }
  }
}

// Baseline admits another procMount in a pod with a user namespace (1.35 and later); the API
// server admits it in no other.
static void check_proc_mount(const struct scan *scan, yyjson_val *context) {
  struct text mount = json_get_text(context, "procMount");
  if (mount.len > 0 && !text_equals(mount, TEXT("Default")) && !scan->user_namespace) {
    add(scan, TEXT("securityContext.procMount"), concat(scan, "sets procMount '", mount, "'"),
        name_text(mount), "Default or nothing");
  }
}

// A probe or hook may name any host, and the kubelet asks it from the node (1.34 and later).
static void check_handler(const struct scan *scan, const char *path, yyjson_val *handler) {
  static const char *const kinds[] = {"httpGet", "tcpSocket"};
  for (size_t i = 0; i < COUNT_OF(kinds); i++) {
    struct text host = json_get_text(json_get(handler, kinds[i]), "host");
    if (host.len > 0) {
      struct text field = findings_text(scan->findings, "%s.%s.host", path, kinds[i]);
      struct text what = findings_text(scan->findings, "names a host in %s", path);
      add(scan, field, what, name_text(host), "no host");
    }
  }
}

static void check_handlers(const struct scan *scan) {
  yyjson_val *object = scan->container->object;
  yyjson_val *lifecycle = scan->container->lifecycle;
  check_handler(scan, "livenessProbe", json_get(object, "livenessProbe"));
  check_handler(scan, "readinessProbe", json_get(object, "readinessProbe"));
  check_handler(scan, "startupProbe", json_get(object, "startupProbe"));
  check_handler(scan, "lifecycle.postStart", json_get(lifecycle, "postStart"));
  check_handler(scan, "lifecycle.preStop", json_get(lifecycle, "preStop"));
}

static void check_containers(const struct scan *pod, const struct container_list *list,
                             const char *name) {
  for (size_t i = 0; i < list->count; i++) {
    struct scan scan = *pod;
    scan.container = &list->items[i];
    scan.list = name;
    yyjson_val *context = scan.container->security_context;
    if (json_is_true(json_get(context, "privileged"))) {
      add(&scan, TEXT("securityContext.privileged"), TEXT("is privileged"), TEXT("true"),
          "false or nothing");
    }
    check_context(&scan, context);
    check_capabilities(&scan, context);
    check_proc_mount(&scan, context);
    check_host_ports(&scan);
    check_handlers(&scan);
  }
}

// ---- the pod ----

static void check_host_namespaces(const struct scan *scan) {
  static const char *const fields[] = {"hostNetwork", "hostPID", "hostIPC"};
  for (size_t i = 0; i < COUNT_OF(fields); i++) {
    if (json_is_true(json_get(scan->group->pod->spec, fields[i]))) {
      add(scan, text_of(fields[i]), concat(scan, "uses ", text_of(fields[i]), ""), TEXT("true"),
          "false or nothing");
    }
  }
}

static void check_volumes(const struct scan *scan) {
  size_t index = 0;
  yyjson_arr_iter iter = yyjson_arr_iter_with(scan->group->pod->volumes);
  for (yyjson_val *volume = yyjson_arr_iter_next(&iter); volume != NULL;
       volume = yyjson_arr_iter_next(&iter), index++) {
    yyjson_val *host_path = json_get(volume, "hostPath");
    if (host_path != NULL) {
      struct text field = findings_text(scan->findings, "volumes[%zu].hostPath", index);
      struct text what =
          concat(scan, "mounts the node's files by volume '", json_get_text(volume, "name"), "'");
      add(scan, field, what, value_text(scan->findings, json_get(host_path, "path")),
          "a volume of another kind");
    }
  }
}

static void check_sysctls(const struct scan *scan, yyjson_val *context) {
  static const char *const allowed[] = {
      "kernel.shm_rmid_forced",        "net.ipv4.ip_local_port_range",
      "net.ipv4.tcp_syncookies",       "net.ipv4.ping_group_range",
      "net.ipv4.tcp_keepalive_time",   "net.ipv4.ip_unprivileged_port_start",
      "net.ipv4.tcp_fin_timeout",      "net.ipv4.ip_local_reserved_ports",
      "net.ipv4.tcp_keepalive_intvl",  "net.ipv4.tcp_rmem",
      "net.ipv4.tcp_keepalive_probes", "net.ipv4.tcp_wmem"};
  size_t index = 0;
  yyjson_arr_iter iter = yyjson_arr_iter_with(json_get(context, "sysctls"));
  for (yyjson_val *item = yyjson_arr_iter_next(&iter); item != NULL;
       item = yyjson_arr_iter_next(&iter), index++) {
    struct text name = json_get_text(item, "name");
    if (name.len > 0 && !is_any_of(name, allowed, COUNT_OF(allowed))) {
      struct text field = findings_text(scan->findings, "securityContext.sysctls[%zu].name", index);
      add(scan, field, concat(scan, "sets the sysctl ", name, ""), name_text(name),
          "only sysctls that Kubernetes calls safe");
    }
  }
}

// Before 1.30 AppArmor profiles were annotations, one for each container.
static void check_annotations(const struct scan *pod) {
  struct scan scan = *pod;
  scan.part = "metadata";
  yyjson_obj_iter iter = yyjson_obj_iter_with(pod->group->pod->annotations);
  for (yyjson_val *key = yyjson_obj_iter_next(&iter); key != NULL;
       key = yyjson_obj_iter_next(&iter)) {
    struct text value = json_text(yyjson_obj_iter_get_val(key));
    bool good = value.len == 0 || text_equals(value, TEXT("runtime/default")) ||
                text_starts_with(value, TEXT("localhost/"));
    struct text name = json_text(key);
    if (!good && text_starts_with(name, TEXT("container.apparmor.security.beta.kubernetes.io/"))) {
      struct text field = findings_text(scan.findings, "annotations[%.*s]", TEXT_ARG(name));
      add(&scan, field, concat(&scan, "sets the AppArmor profile '", value, "'"), name_text(value),
          "runtime/default, localhost/<profile> or nothing");
    }
  }
}

static void check_group(const struct group_view *group, struct findings *findings) {
  struct scan scan = {.group = group,
                      .part = "spec",
                      .user_namespace = yyjson_is_false(json_get(group->pod->spec, "hostUsers")),
                      .findings = findings};
  yyjson_val *context = json_get(group->pod->spec, "securityContext");
  check_host_namespaces(&scan);
  check_volumes(&scan);
  check_context(&scan, context);
  check_sysctls(&scan, context);
  check_annotations(&scan);
  check_containers(&scan, &group->pod->init_containers, "initContainers");
  check_containers(&scan, &group->pod->containers, "containers");
}

static void check(const struct subject *subject, const void *settings, struct findings *findings) {
  (void)settings;
  for (size_t i = 0; i < subject->group_count; i++) {
    check_group(&subject->groups[i], findings);
  }
}

const struct validator validator_pod_security = {
    .id = "PS",
    .name = "pod-security",
    .summary = "Templates of Ray pods keep the Pod Security level baseline",
    .why =
        "Where a namespace enforces the Pod Security level baseline, PodSecurity admission "
        "refuses pods that are privileged, use the node's network, processes or files, or "
        "loosen the container's isolation. It warns when a Deployment or a Job with such a "
        "template is created, but not for a RayCluster, which is admitted and then has no "
        "head. This rule warns at once. Pods themselves are left to PodSecurity admission.",
    .source = "Kubernetes, Pod Security Standards, Baseline",
    .subjects = SUBJECT_RAY | SUBJECT_POD,
    .default_action = ACTION_WARN,
    .default_pod_action = ACTION_OFF,
    .check = check,
};
