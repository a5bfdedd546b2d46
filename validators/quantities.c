#include "admission/rule.h"

// What the rule reports is either of the wrong type or not a number that Kubernetes could read;
// all other rules pass over it.

#define WANTED_QUANTITY TEXT("a quantity that is not negative, such as 500m, 16 or 64Gi")

// ---- quantities ----

// One place with amounts: a container's resources, or a pod's. Its texts are made only for what is
// reported, since nearly every amount is fine.
struct place {
  const struct group_view *group;
  const struct container_view *container;  // NULL for the pod
  const char *member;                      // "containers", "initContainers"; "resources" of a pod
};

static void report(struct findings *findings, struct text path, struct text message,
                   yyjson_val *found, struct text wanted, struct text key) {
  findings_add(findings, (struct finding){
                             .path = path,
                             .message = message,
                             .found = value_text(findings, found),
                             .wanted = wanted,
                             .fix = TEXT("correct the value, or leave it out"),
                             .key = key,
                         });
}

// "worker group 'g': container 'c'"
static struct text place_title(const struct place *place, struct findings *findings) {
  return place->container == NULL ? group_title(findings, place->group)
                                  : container_title(findings, place->group, place->container);
}

static struct text place_path(const struct place *place, struct findings *findings) {
  struct text member = pod_spec_path(findings, place->group, place->member);
  return place->container == NULL ? member
                                  : findings_text(findings, "%.*s[%zu].resources", TEXT_ARG(member),
                                                  place->container->index);
}

static struct text place_key(const struct place *place, struct findings *findings) {
  return place->container == NULL
             ? group_key(findings, place->group, text_of(place->member))
             : container_key(findings, place->group, place->container, place->member);
}

static void check_amount(const struct place *place, const char *list, yyjson_val *name,
                         yyjson_val *amount, struct findings *findings) {
  struct quantity quantity;
  bool readable = quantity_parse(json_scalar_text(amount), &quantity);
  if (yyjson_is_null(amount) || (readable && quantity.nano >= 0)) {
    return;
  }
  struct text what = findings_text(findings, "%s.%.*s", list, TEXT_ARG(name_text(json_text(name))));
  struct text path = place_path(place, findings);
  struct text title = place_title(place, findings);
  struct text key = place_key(place, findings);
  report(findings, findings_text(findings, "%.*s.%.*s", TEXT_ARG(path), TEXT_ARG(what)),
         findings_text(findings, "%.*s: %.*s is %s", TEXT_ARG(title), TEXT_ARG(what),
                       readable ? "negative" : "not a quantity"),
         amount, WANTED_QUANTITY,
         findings_text(findings, "%.*s/%.*s", TEXT_ARG(key), TEXT_ARG(what)));
}

// Something in a template that is not of its type, which would hide what is in it from every rule.
static void check_type(const struct place *place, const char *member, yyjson_val *value,
                       bool is_right, const char *wanted, struct findings *findings) {
  if (value == NULL || is_right) {
    return;
  }
  struct text path = place_path(place, findings);
  struct text title = place_title(place, findings);
  struct text key = place_key(place, findings);
  report(findings, findings_path(findings, path, member),
         findings_text(findings, "%.*s: %s%s%s is %s, not %s", TEXT_ARG(title), place->member,
                       member[0] == '\0' ? "" : ".", member, json_type_name(value), wanted),
         value, text_of(wanted), findings_text(findings, "%.*s/%s", TEXT_ARG(key), member));
}

static void check_resources(const struct place *place, yyjson_val *resources,
                            struct findings *findings) {
  static const char *const lists[] = {"limits", "requests"};
  check_type(place, "", resources, yyjson_is_obj(resources), "an object", findings);
  for (size_t i = 0; i < COUNT_OF(lists); i++) {
    yyjson_val *list = json_get(resources, lists[i]);
    check_type(place, lists[i], list, yyjson_is_obj(list), "an object", findings);
    yyjson_obj_iter iter = yyjson_obj_iter_with(list);
    for (yyjson_val *key = yyjson_obj_iter_next(&iter); key != NULL;
         key = yyjson_obj_iter_next(&iter)) {
      check_amount(place, lists[i], key, yyjson_obj_iter_get_val(key), findings);
    }
  }
}

static void check_containers(const struct group_view *group, const struct container_list *list,
                             const char *member, struct findings *findings) {
  for (size_t i = 0; i < list->count; i++) {
    const struct container_view *container = &list->items[i];
    if (container->resources == NULL) {
      continue;
    }
    struct place place = {.group = group, .container = container, .member = member};
    check_resources(&place, container->resources, findings);
  }
}

// The lists of containers, and each container, must be what they should be to be looked into.
static void check_container_types(const struct group_view *group, yyjson_val *spec,
                                  const char *member, struct findings *findings) {
  yyjson_val *list = json_get(spec, member);
  struct place place = {.group = group, .member = member};
  check_type(&place, "", list, yyjson_is_arr(list), "a list", findings);
  yyjson_arr_iter iter = yyjson_arr_iter_with(list);
  for (yyjson_val *item = yyjson_arr_iter_next(&iter); item != NULL;
       item = yyjson_arr_iter_next(&iter)) {
    if (!yyjson_is_obj(item)) {
      check_type(&place, "item", item, false, "an object", findings);
    }
  }
}

static void check_template(const struct group_view *group, const char *member, yyjson_val *value,
                           struct findings *findings) {
  if (value == NULL || yyjson_is_obj(value)) {
    return;
  }
  struct text title = group_title(findings, group);
  report(findings, findings_path(findings, group->path, member),
         findings_text(findings, "%.*s: %s is %s, not an object", TEXT_ARG(title), member,
                       json_type_name(value)),
         value, TEXT("an object"), group_key(findings, group, text_of(member)));
}

static void check_pod(const struct group_view *group, struct findings *findings) {
  yyjson_val *template = json_get(group->object, "template");
  yyjson_val *spec = json_get(template, "spec");
  check_template(group, "template", template, findings);
  check_template(group, "template.spec", spec, findings);
  check_container_types(group, spec, "containers", findings);
  check_container_types(group, spec, "initContainers", findings);
  check_containers(group, &group->pod->containers, "containers", findings);
  check_containers(group, &group->pod->init_containers, "initContainers", findings);
  if (group->pod->pod_resources != NULL) {
    struct place place = {.group = group, .member = "resources"};
    check_resources(&place, group->pod->pod_resources, findings);
  }
}

// ---- counts and groups ----

static void check_count(const struct group_view *group, const struct count *count, const char *name,
                        struct findings *findings) {
  if (count->state != COUNT_BAD) {
    return;
  }
  struct text title = group_title(findings, group);
  report(findings, findings_path(findings, group->path, name),
         findings_text(findings, "%.*s: %s is not a whole number from 0 up", TEXT_ARG(title), name),
         count->source, TEXT("a whole number from 0 up"),
         group_key(findings, group, text_of(name)));
}

static void check_group(const struct group_view *group, struct findings *findings) {
  if (!yyjson_is_obj(group->object)) {
    report(findings, group->path,
           findings_text(findings, "%.*s is %s, not an object", TEXT_ARG(group->path),
                         json_type_name(group->object)),
           group->object, TEXT("an object"), group_key(findings, group, TEXT("")));
    return;
  }
  check_count(group, &group->replicas, "replicas", findings);
  check_count(group, &group->min_replicas, "minReplicas", findings);
  check_count(group, &group->max_replicas, "maxReplicas", findings);
  check_count(group, &group->hosts, "numOfHosts", findings);
  check_pod(group, findings);
}

static void quantities_check(const struct subject *subject, const void *options,
                             struct findings *findings) {
  (void)options;
  if (subject->cluster != NULL && !yyjson_is_obj(subject->cluster)) {
    struct text message =
        findings_text(findings, "%.*s is %s, not an object", TEXT_ARG(subject->cluster_path),
                      json_type_name(subject->cluster));
    report(findings, subject->cluster_path, message, subject->cluster, TEXT("an object"),
           TEXT("cluster"));
  }
  if (subject->misplaced_groups != NULL) {
    struct text path = findings_path(findings, subject->cluster_path, "workerGroupSpecs");
    report(findings, path,
           findings_text(findings, "workerGroupSpecs is %s, not a list",
                         json_type_name(subject->misplaced_groups)),
           subject->misplaced_groups, TEXT("a list of worker groups"), TEXT("workerGroupSpecs"));
  }
  for (size_t i = 0; i < subject->group_count; i++) {
    check_group(&subject->groups[i], findings);
  }
}

const struct validator validator_quantities = {
    .id = "V15",
    .name = "quantities",
    .summary = "Quantities and replica numbers can be read and are not negative",
    .why =
        "The API server does not look into the templates of a Ray resource as it looks into a "
        "Pod: \"16 cores\" or -1 is accepted there, no pod can be made of it, and the other "
        "rules have nothing to compare. Pods are not judged: the API server has read them.",
    .source = "Kubernetes, apimachinery pkg/api/resource/quantity.go",
    .subjects = SUBJECT_RAY,
    .default_action = ACTION_DENY,
    .default_pod_action = ACTION_OFF,
    .check = quantities_check,
};
