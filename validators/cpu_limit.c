#include "admission/rule.h"

struct cpu_limit_options {
  struct quantity max;
  bool apply_to_head;
};

static const struct option cpu_limit_options[] = {
    {.key = "max",
     .type = OPTION_QUANTITY,
     .fallback = "16",
     .min = 0,
     .max = 1000000,
     .offset = offsetof(struct cpu_limit_options, max),
     .help = "The most CPUs that a container of a worker may ask for"},
    {.key = "applyToHead",
     .type = OPTION_BOOL,
     .fallback = "false",
     .offset = offsetof(struct cpu_limit_options, apply_to_head),
     .help = "Judge the head group too"},
};

static void cpu_limit_check(const struct subject *subject, const void *options,
                            struct findings *findings) {
  const struct cpu_limit_options *settings = options;
  const struct container_rule rule = {.resource = "cpu",
                                      .unit = " CPUs",
                                      .option = "validators.cpu-limit.max",
                                      .max = settings->max,
                                      .apply_to_head = settings->apply_to_head};
  containers_check(subject, &rule, findings);
}

const struct validator validator_cpu_limit = {
    .id = "V01",
    .name = "cpu-limit",
    .summary = "No container of a worker asks for more CPUs than a node has to give",
    .why =
        "A worker that asks for more CPUs than any node has stays pending for ever, and one that "
        "takes a whole node makes the autoscaler buy the largest machines. What a container "
        "asks for is the larger of its request and its limit. Containers are not added up, so "
        "that a mesh's proxy cannot turn a legal worker into a violation; of a Pod only the Ray "
        "container counts.",
    .source = "the original platform's limit of 16 CPUs per worker (policies/ray.rego)",
    .subjects = SUBJECT_RAY | SUBJECT_POD,
    .default_action = ACTION_DENY,
    .default_pod_action = ACTION_DENY,
    .options = cpu_limit_options,
    .option_count = COUNT_OF(cpu_limit_options),
    .options_size = sizeof(struct cpu_limit_options),
    .check = cpu_limit_check,
};
