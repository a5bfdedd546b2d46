// prestop-drain (semantics §2 M4): a worker that is deleted or evicted leaves the cluster as its
// running work ends, a head stops Ray in order, and both get the time for it.
#include "admission/rule.h"

// What the API server puts where nobody has chosen (core/v1 DefaultTerminationGracePeriodSeconds).
// A mutating webhook sees the object with its defaults, so 30 and "unset" are the same to it.
#define DEFAULT_GRACE_PERIOD 30

// A shorter grace period leaves no time for a hook: the user wants the pod gone.
#define GRACE_PERIOD_MIN 26

// What is kept back from the grace period: for SIGTERM and for Ray's own end.
#define DRAIN_RESERVE 15
#define STOP_RESERVE 16
#define STOP_MAX 30

enum drain_mode { DRAIN_MODE_DRAIN, DRAIN_MODE_STOP, DRAIN_MODE_GRACE_ONLY, DRAIN_MODE_OFF };
static const char *const mode_names[] = {"drain", "stop", "grace-only", "off", NULL};

enum { ROLE_HEAD = 1 << 0, ROLE_WORKER = 1 << 1 };
static const char *const role_names[] = {"head", "worker", NULL};

struct prestop_drain_options {
  int worker;
  int head;
  unsigned roles;
  int64_t grace_period;  // milliseconds
};

// A head cannot be drained: it holds the GCS. It stops instead.
static int mode_of(const struct pod_view *pod, const struct prestop_drain_options *options) {
  bool head = pod->role == POD_ROLE_HEAD;
  if ((options->roles & (head ? ROLE_HEAD : ROLE_WORKER)) == 0) {
    return DRAIN_MODE_OFF;
  }
  if (!head) {
    return options->worker;
  }
  return options->head == DRAIN_MODE_DRAIN ? DRAIN_MODE_STOP : options->head;
}

// In a shared process namespace the hook would see the raylets of others.
static bool prestop_drain_applies(const struct pod_view *pod, const void *settings) {
  return mode_of(pod, settings) != DRAIN_MODE_OFF && pod->ray != NULL && !pod->host_pid &&
         !pod->share_process_namespace;
}

// True if an exec hook says `ray stop`, in one string or in two.
static bool hook_stops_ray(yyjson_val *hook) {
  yyjson_val *command = json_get(json_get(hook, "exec"), "command");
  struct text before = {NULL, 0};
  yyjson_arr_iter iter = yyjson_arr_iter_with(command);
  for (yyjson_val *item = yyjson_arr_iter_next(&iter); item != NULL;
       item = yyjson_arr_iter_next(&iter)) {
    struct text word = json_text(item);
    bool after_ray = text_equals(before, TEXT("ray")) || text_ends_with(before, TEXT("/ray"));
    if (text_contains(word, TEXT("ray stop")) || (after_ray && text_equals(word, TEXT("stop")))) {
      return true;
    }
    before = word;
  }
  return false;
}

static struct text hook_script(const struct pod_view *pod, int mode, int64_t grace_period,
                               struct patch *patch) {
  if (mode == DRAIN_MODE_STOP) {
    int64_t rest = grace_period - STOP_RESERVE;
    // What `ray stop` stops does not end `ray start --block`; prestop_drain.sh says why SIGINT.
    return patch_text(patch, "ray stop --grace-period=%lld; kill -INT 1; sleep 4",
                      (long long)(rest < STOP_MAX ? rest : STOP_MAX));
  }
  const struct script_value budget = {
      TEXT("@BUDGET@"), patch_text(patch, "%lld", (long long)(grace_period - DRAIN_RESERVE))};
  bool bash = container_shell(pod->ray) != SHELL_OTHER;
  return script_fill(patch, bash ? prestop_drain_sh : prestop_drain_sh_sh, &budget, 1);
}

static void set_hook(const struct pod_view *pod, struct text script, struct patch *patch) {
  enum container_shell shell = container_shell(pod->ray);
  yyjson_mut_val *command = value_array(patch);
  value_push_string(patch, command, shell == SHELL_OTHER ? TEXT("/bin/sh") : TEXT("/bin/bash"));
  // A login shell as the container's own: `ray` may be on the PATH of a profile only.
  value_push_string(patch, command, shell == SHELL_BASH_LOGIN ? TEXT("-lc") : TEXT("-c"));
  value_push_string(patch, command, script);
  yyjson_mut_val *exec = value_object(patch);
  value_put(patch, exec, "command", command);
  yyjson_mut_val *hook = value_object(patch);
  value_put(patch, hook, "exec", exec);
  patch_set(patch, hook, "/spec/containers/%zu/lifecycle/preStop", pod->ray->index);
}

static void prestop_drain_apply(const struct pod_view *pod, const void *settings,
                                struct patch *patch) {
  const struct prestop_drain_options *options = settings;
  int mode = mode_of(pod, options);
  yyjson_val *hook = json_get(pod->ray->lifecycle, "preStop");
  if (hook != NULL && !hook_stops_ray(hook)) {
    patch_note(patch, "the container has a preStop hook of its own");
    return;
  }
  int64_t given = DEFAULT_GRACE_PERIOD;
  if (pod->grace_period != NULL && !json_int64(pod->grace_period, &given)) {
    patch_note(patch, "terminationGracePeriodSeconds is not a number");
    return;
  }
  int64_t wanted = options->grace_period / 1000;
  int64_t grace_period = given == DEFAULT_GRACE_PERIOD ? wanted : given;
  if (grace_period != given) {
    patch_set(patch, value_int(patch, grace_period), "/spec/terminationGracePeriodSeconds");
  }
  if (hook != NULL || mode == DRAIN_MODE_GRACE_ONLY) {
    return;
  }
  if (grace_period < GRACE_PERIOD_MIN) {
    patch_note(patch, "no hook: the grace period of %lld s is too short", (long long)grace_period);
    return;
  }
  set_hook(pod, hook_script(pod, mode, grace_period, patch), patch);
}

static const struct option prestop_drain_option_rows[] = {
    {.key = "worker",
     .type = OPTION_ENUM,
     .offset = offsetof(struct prestop_drain_options, worker),
     .fallback = "drain",
     .names = mode_names,
     .help = "hook of workers: drain lets running work end, stop is `ray stop`"},
    {.key = "head",
     .type = OPTION_ENUM,
     .offset = offsetof(struct prestop_drain_options, head),
     .fallback = "stop",
     .names = mode_names,
     .help = "hook of heads; drain means stop, as a head cannot be drained"},
    {.key = "roles",
     .type = OPTION_ENUM_SET,
     .offset = offsetof(struct prestop_drain_options, roles),
     .fallback = "head, worker",
     .names = role_names,
     .help = "which pods are looked at"},
    {.key = "gracePeriod",
     .type = OPTION_DURATION,
     .offset = offsetof(struct prestop_drain_options, grace_period),
     .fallback = "60s",
     .min = 30000,
     .max = 86400000,
     .help = "terminationGracePeriodSeconds where it is 30 or absent; any other is the user's"},
};

const struct mutator mutator_prestop_drain = {
    .name = "prestop-drain",
    .summary = "Drain workers and stop heads in order before they end, with the time for it",
    .default_mode = MODE_ENFORCE,
    .options = prestop_drain_option_rows,
    .option_count = COUNT_OF(prestop_drain_option_rows),
    .options_size = sizeof(struct prestop_drain_options),
    .applies = prestop_drain_applies,
    .apply = prestop_drain_apply,
};
