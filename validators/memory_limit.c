#include "admission/rule.h"

struct memory_limit_options {
  struct quantity max;
  bool apply_to_head;
};

static const struct option memory_limit_options[] = {
    {.key = "max",
     .type = OPTION_QUANTITY,
     .fallback = "64Gi",
     .min = 0,
     .max = 1LL << 50,
     .offset = offsetof(struct memory_limit_options, max),
     .help = "The most memory that a container of a worker may ask for"},
    {.key = "applyToHead",
     .type = OPTION_BOOL,
     .fallback = "false",
     .offset = offsetof(struct memory_limit_options, apply_to_head),
     .help = "Judge the head group too"},
};

static void memory_limit_check(const struct subject *subject, const void *options,
                               struct findings *findings) {
  const struct memory_limit_options *settings = options;
  const struct container_rule rule = {.resource = "memory",
                                      .unit = " memory",
                                      .option = "validators.memory-limit.max",
                                      .max = settings->max,
                                      .apply_to_head = settings->apply_to_head};
  containers_check(subject, &rule, findings);
}

const struct validator validator_memory_limit = {
    .id = "V02",
    .name = "memory-limit",
    .summary = "No container of a worker asks for more memory than a node has to give",
    .why =
        "A worker that asks for more memory than any node has stays pending for ever. What a "
        "container asks for is the larger of its request and its limit, compared by value: "
        "65536Mi is 64Gi, 68.8G is more. Containers are not added up, so that a mesh's proxy "
        "cannot turn a legal worker into a violation; of a Pod only the Ray container counts.",
    .source = "the original platform's limit of 64Gi per worker (policies/ray.rego)",
    .subjects = SUBJECT_RAY | SUBJECT_POD,
    .default_action = ACTION_DENY,
    .default_pod_action = ACTION_DENY,
    .options = memory_limit_options,
    .option_count = COUNT_OF(memory_limit_options),
    .options_size = sizeof(struct memory_limit_options),
    .check = memory_limit_check,
};
