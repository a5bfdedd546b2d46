#include "cli/audit_judge.h"

#include "admission/subject.h"
#include "cli/creation.h"

// A denial is a message and warnings, each with a maximum; see admission/answer.h.
#define ANSWER_MAX ((size_t)1 << 20)

// Whole GPUs, rounded up: a part of one is taken as well.
static int64_t whole(struct quantity quantity) {
  int128 units = (quantity.nano + QUANTITY_NANO - 1) / QUANTITY_NANO;
  return units < 0 ? 0 : units > INT64_MAX ? INT64_MAX : (int64_t)units;
}

static void add_group(const struct subject *subject, const struct group_view *group,
                      bool is_suspended, struct audit_usage *usage) {
  int64_t gpus = group->pod == NULL ? 0 : whole(group->pod->gpus);
  if (group->is_head) {
    usage->gpus = saturating_plus(usage->gpus, is_suspended ? 0 : gpus);
    return;
  }
  int64_t hosts = group_hosts(group);
  int64_t least = group->min_replicas.value;
  int64_t now = group->replicas.value > least ? group->replicas.value : least;
  int64_t most = now;
  if (subject->autoscaling) {
    most = group_max_is_set(group) ? group->max_replicas.value : INT64_MAX;
  }
  int64_t workers = is_suspended ? 0 : saturating_times(now, hosts);
  // Without the autoscaler nobody takes idle workers away.
  int64_t idle = is_suspended ? 0 : saturating_times(subject->autoscaling ? least : now, hosts);
  usage->workers = saturating_plus(usage->workers, workers);
  usage->max_workers = saturating_plus(usage->max_workers, saturating_times(most, hosts));
  usage->idle_workers = saturating_plus(usage->idle_workers, idle);
  usage->gpus = saturating_plus(usage->gpus, saturating_times(workers, gpus));
  usage->idle_gpus = saturating_plus(usage->idle_gpus, saturating_times(idle, gpus));
}

static int measure(const struct admission_config *config, struct arena *arena, yyjson_val *object,
                   struct audit_usage *usage) {
  struct subject subject;
  int known = subject_read(object, TEXT("ray.io"), TEXT("RayCluster"), &config->gpu_resources,
                           arena, &subject);
  bool is_suspended = yyjson_is_true(yyjson_obj_get(yyjson_obj_get(object, "spec"), "suspend"));
  for (size_t i = 0; known == 1 && i < subject.group_count; i++) {
    add_group(&subject, &subject.groups[i], is_suspended, usage);
  }
  return known < 0 ? -1 : 0;
}

static int review(const struct admission_config *config, struct arena *arena,
                  const struct buffer *body, struct audit_verdict *verdict) {
  buffer_auto answer = {.max = ANSWER_MAX};
  struct decision decision = {.allowed = false};
  if (body->len > ADMISSION_BODY_MAX) {
    verdict->is_denied = true;
    verdict->message = TEXT("larger than the API server takes");
    return 0;
  }
  enum admission_status status =
      admission_review(config, PHASE_VALIDATE, arena, body->data, body->len, &answer, &decision);
  if (status == ADMISSION_OUT_OF_MEMORY || answer.failed) {
    return -1;
  }
  verdict->is_judged = decision.reason.len == 0;
  verdict->is_denied = !decision.allowed;
  verdict->message = decision.message;
  verdict->violations = decision.violations;
  verdict->violation_count = decision.violation_count;
  return 0;
}

int audit_judge(const struct admission_config *config, struct arena *arena, const char *json,
                size_t len, struct audit_verdict *ret_verdict) {
  *ret_verdict = (struct audit_verdict){.is_judged = false};
  buffer_auto body = {.max = MANIFEST_OUTPUT_MAX};
  // Numbers as they are written, as the core reads them.
  yyjson_doc *doc = yyjson_read(json, len, YYJSON_READ_NUMBER_AS_RAW);
  yyjson_mut_doc *copy = doc == NULL ? NULL : yyjson_doc_mut_copy(doc, NULL);
  int status = -1;
  if (copy != NULL) {
    yyjson_mut_val *object = yyjson_mut_doc_get_root(copy);
    const struct creation_kind *kind = creation_kind_of(object);
    status = 0;
    if (kind != NULL) {
      status =
          creation_write(kind, object, creation_namespace(kind, object, ""), &body) == 0 ? 0 : -1;
    }
    arena_reset(arena);
    if (status == 0 && kind != NULL && text_equals(text_of(kind->kind), TEXT("RayCluster"))) {
      status = measure(config, arena, yyjson_doc_get_root(doc), &ret_verdict->usage);
    }
    if (status == 0 && kind != NULL) {
      status = review(config, arena, &body, ret_verdict);
    }
  }
  yyjson_mut_doc_free(copy);
  yyjson_doc_free(doc);
  return status;
}
