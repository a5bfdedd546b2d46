#include "admission/rule.h"

enum missing_action { MISSING_WARN, MISSING_DENY, MISSING_OFF };
static const char *const missing_names[] = {"warn", "deny", "off", NULL};

struct min_requests_options {
  struct quantity cpu;
  struct quantity memory;
  int missing;  // enum missing_action
};

static const struct option min_requests_options[] = {
    {.key = "cpu",
     .type = OPTION_QUANTITY,
     .fallback = "500m",
     .min = 0,
     .max = 1000000,
     .offset = offsetof(struct min_requests_options, cpu),
     .help = "The least CPU that a Ray container may request"},
    {.key = "memory",
     .type = OPTION_QUANTITY,
     .fallback = "512Mi",
     .min = 0,
     .max = 1LL << 50,
     .offset = offsetof(struct min_requests_options, memory),
     .help = "The least memory that a Ray container may request"},
    {.key = "missing",
     .type = OPTION_ENUM,
     .names = missing_names,
     .fallback = "warn",
     .offset = offsetof(struct min_requests_options, missing),
     .help = "What a Ray container without a request, or a limit that stands for it, means: warn; "
             "deny, the rule's action; off, nothing"},
};

// One of the two resources that the rule looks at.
struct minimum {
  const char *resource;
  const char *title;
  const char *option;
  struct quantity min;
};

static void report_low(const struct group_view *group, const struct amount *amount,
                       const struct minimum *minimum, struct findings *findings) {
  const struct container_view *ray = group->pod->ray;
  struct text title = container_title(findings, group, ray);
  struct text found = quantity_text(findings, amount->quantity);
  struct text min = quantity_text(findings, minimum->min);
  findings_add(
      findings,
      (struct finding){
          .path = amount_path(findings, group, ray, amount, "requests", minimum->resource),
          .message = findings_text(findings, "%.*s: %s request %.*s is below the minimum of %.*s",
                                   TEXT_ARG(title), minimum->title, TEXT_ARG(found), TEXT_ARG(min)),
          .found = value_text(findings, amount->source),
          .wanted = findings_text(findings, "at least %.*s", TEXT_ARG(min)),
          .fix = findings_text(findings, "request %.*s or more, or lower %s", TEXT_ARG(min),
                               minimum->option),
          .key = container_key(findings, group, ray, minimum->resource),
          .measure = -amount->quantity.nano,
      });
}

// The worst amount there is, so that a request which goes missing is worse than a low one.
static const int128 missing_measure = QUANTITY_MAX_UNITS * QUANTITY_NANO;

static void report_missing(const struct group_view *group, const struct amount *amount,
                           const struct minimum *minimum, enum missing_action action,
                           struct findings *findings) {
  const struct container_view *ray = group->pod->ray;
  struct text title = container_title(findings, group, ray);
  struct text min = quantity_text(findings, minimum->min);
  findings_add(
      findings,
      (struct finding){
          .level = action == MISSING_DENY ? FINDING_VIOLATION : FINDING_ADVICE,
          .path = amount_path(findings, group, ray, amount, "requests", minimum->resource),
          .message = findings_text(findings, "%.*s: no %s request; the minimum is %.*s",
                                   TEXT_ARG(title), minimum->title, TEXT_ARG(min)),
          .found = TEXT("nothing"),
          .wanted = findings_text(findings, "at least %.*s", TEXT_ARG(min)),
          .fix = findings_text(
              findings, "request %.*s or more, or set validators.min-requests.missing to off",
              TEXT_ARG(min)),
          .key = container_key(findings, group, ray, minimum->resource),
          .measure = missing_measure,
      });
}

static void check_minimum(const struct group_view *group, const struct minimum *minimum,
                          enum missing_action missing, struct findings *findings) {
  struct amount amount = container_request(group, group->pod->ray, minimum->resource);
  if (amount.place != AMOUNT_ABSENT) {
    if (amount.quantity.nano < minimum->min.nano) {
      report_low(group, &amount, minimum, findings);
    }
  } else if (amount.source == NULL && missing != MISSING_OFF) {
    report_missing(group, &amount, minimum, missing, findings);
  }
}

static void min_requests_check(const struct subject *subject, const void *options,
                               struct findings *findings) {
  const struct min_requests_options *settings = options;
  const struct minimum minimums[] = {
      {"cpu", "CPU", "validators.min-requests.cpu", settings->cpu},
      {"memory", "memory", "validators.min-requests.memory", settings->memory},
  };
  for (size_t i = 0; i < subject->group_count; i++) {
    for (size_t k = 0; k < COUNT_OF(minimums); k++) {
      if (subject->groups[i].pod->ray != NULL) {
        check_minimum(&subject->groups[i], &minimums[k], (enum missing_action)settings->missing,
                      findings);
      }
    }
  }
}

const struct validator validator_min_requests = {
    .id = "V06/V07",
    .name = "min-requests",
    .summary = "The Ray container requests enough CPU and memory to run Ray at all",
    .why =
        "Ray's own processes need about half a CPU and half a GiB; a container that requests "
        "less is put on a node that has no room for it and then starves or is killed. Without a "
        "request the limit stands for it, as the API server has it. A missing request is only a "
        "warning, since official KubeRay samples omit memory.",
    .source =
        "the original platform's minimum of 500m and 512Mi (policies/ray.rego); KubeRay's samples",
    .subjects = SUBJECT_RAY | SUBJECT_POD,
    .default_action = ACTION_DENY,
    .default_pod_action = ACTION_WARN,
    .options = min_requests_options,
    .option_count = COUNT_OF(min_requests_options),
    .options_size = sizeof(struct min_requests_options),
    .check = min_requests_check,
};
