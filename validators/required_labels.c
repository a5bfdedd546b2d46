// Labels that a Ray resource must carry (semantics V08), so that its cost and its pods can be told
// from others'.

#include "admission/rule.h"

struct required_labels {
  struct text_list labels;
  bool strict_labels;
};

static const struct option options[] = {
    {.key = "labels",
     .type = OPTION_STRINGS,
     .offset = offsetof(struct required_labels, labels),
     .fallback = "ray.io/node-type, app",
     .help = "Labels that the resource, or the template of each of its groups, must have"},
    {.key = "strictLabels",
     .type = OPTION_BOOL,
     .offset = offsetof(struct required_labels, strict_labels),
     .fallback = "false",
     .help = "Only the resource's own labels count, and ray.io/node-type must be among them, "
             "though KubeRay sets it on the pods"},
};

// Any value will do, also the empty one.
static bool has_label(yyjson_val *labels, struct text label) {
  return yyjson_is_str(yyjson_obj_getn(labels, label.data == NULL ? "" : label.data, label.len));
}

// The first group whose template lacks the label; NULL if all have it.
static const struct group_view *group_without(const struct subject *subject, struct text label) {
  for (size_t i = 0; i < subject->group_count; i++) {
    if (!has_label(subject->groups[i].pod->labels, label)) {
      return &subject->groups[i];
    }
  }
  return NULL;
}

// KubeRay sets ray.io/node-type on every pod and lets nobody change it (semantics §1.1), so that
// on the resource it means nothing.
static bool is_stamped(struct text label) {
  return text_equals(label, TEXT("ray.io/node-type"));
}

static struct text found(const struct subject *subject, struct text label, bool strict,
                         struct findings *findings) {
  const struct group_view *group = strict ? NULL : group_without(subject, label);
  if (group == NULL) {
    return findings_text(findings, "no such label on the %.*s", TEXT_ARG(subject->kind_name));
  }
  return findings_text(findings, "no such label on the %.*s, nor on the template of %.*s",
                       TEXT_ARG(subject->kind_name), TEXT_ARG(group_title(findings, group)));
}

static void report(const struct subject *subject, struct text label, bool strict,
                   struct findings *findings) {
  struct text name = name_text(label);
  findings_add(
      findings,
      (struct finding){
          .path = findings_text(findings, "metadata.labels[%.*s]", TEXT_ARG(label)),
          .message = findings_text(findings, "missing required label '%.*s'", TEXT_ARG(name)),
          .found = found(subject, label, strict, findings),
          .wanted = findings_text(findings, "the label '%.*s' with any value", TEXT_ARG(name)),
          .fix = findings_text(findings,
                               "set metadata.labels['%.*s']%s; validators.required-labels.labels "
                               "says which labels are required",
                               TEXT_ARG(name),
                               strict ? "" : ", or that label in the template of every group"),
          .key = label,
      });
}

static void check(const struct subject *subject, const void *settings, struct findings *findings) {
  const struct required_labels *config = settings;
  if (subject->cluster == NULL) {  // a RayJob on a cluster that is there already
    return;
  }
  for (size_t i = 0; i < config->labels.count; i++) {
    struct text label = config->labels.items[i];
    bool strict = config->strict_labels;
    bool on_templates = subject->group_count > 0 && group_without(subject, label) == NULL;
    bool good =
        has_label(subject->labels, label) || (!strict && (is_stamped(label) || on_templates));
    if (!good) {
      report(subject, label, strict, findings);
    }
  }
}

const struct validator validator_required_labels = {
    .id = "V08",
    .name = "required-labels",
    .summary = "Ray resources carry the labels that the platform asks for",
    .why =
        "Labels tell whose a cluster is: cost reports, dashboards and network policies select "
        "by them. The resource's own labels count, and so do labels that every group's "
        "template has. ray.io/node-type is set by KubeRay on each pod; on the resource it "
        "means nothing, so it counts as present unless strictLabels asks for it. Clusters of a "
        "RayJob or RayService inherit its labels. By default this rule warns; the profile "
        "original-platform denies.",
    .source = "the original platform's policy (policies/ray.rego); KubeRay, labelPod",
    .subjects = SUBJECT_RAY,
    .default_action = ACTION_WARN,
    .default_pod_action = ACTION_OFF,
    .options = options,
    .option_count = COUNT_OF(options),
    .options_size = sizeof(struct required_labels),
    .check = check,
};
