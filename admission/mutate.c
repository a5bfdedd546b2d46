#include "admission/mutate.h"

#include "admission/json.h"
#include "admission/patch.h"
#include "admission/rule.h"

#define APPLIED_POINTER "/metadata/annotations/rayfix.io~1applied"
#define APPLIED_ANNOTATION "rayfix.io/applied"
#define RULE_NAME_MAX 64

// ---- scope ----

static bool is_pod_creation(const struct admission_request *request) {
  bool resource = request->resource.len == 0 || text_equals(request->resource, TEXT("pods"));
  return text_equals(request->operation, TEXT("CREATE")) && resource &&
         request->sub_resource.len == 0 && request->group.len == 0 &&
         text_equals(request->kind, TEXT("Pod"));
}

// Why a pod is left alone, or the empty text.
static struct text out_of_scope(const struct pod_view *pod, bool allow_opt_out) {
  if (pod->role == POD_ROLE_NONE) {
    return TEXT("not a Ray node");
  }
  if (pod->terminating) {
    return TEXT("terminating");
  }
  if (pod->windows) {
    return TEXT("windows");
  }
  if (pod->mirror) {
    return TEXT("mirror pod");
  }
  if (pod->ray == NULL) {
    return TEXT("no containers");
  }
  if (allow_opt_out &&
      json_is_string(yyjson_obj_get(pod->annotations, "rayfix.io/skip"), TEXT("true"))) {
    return TEXT("opted out");
  }
  return (struct text){NULL, 0};
}

// The annotation rayfix.io/<rule>: "false".
static bool opted_out(const struct pod_view *pod, const struct mutator *mutator) {
  static const struct text prefix = {"rayfix.io/", sizeof "rayfix.io/" - 1};
  struct text name = text_of(mutator->name);
  char key[sizeof "rayfix.io/" + RULE_NAME_MAX];
  if (name.len > RULE_NAME_MAX) {
    return false;
  }
  memcpy(key, prefix.data, prefix.len);
  memcpy(key + prefix.len, name.data, name.len);
  return json_is_string(yyjson_obj_getn(pod->annotations, key, prefix.len + name.len),
                        TEXT("false"));
}

// ---- one rule ----

static struct text list_pointers(struct patch *patch, size_t from, struct arena *arena) {
  size_t count = patch_count(patch) - from;
  struct text *pointers = arena_calloc(arena, count + 1, sizeof *pointers);
  for (size_t i = 0; pointers != NULL && i < count; i++) {
    pointers[i] = patch_pointer(patch, from + i);
  }
  return pointers == NULL ? (struct text){NULL, 0} : arena_join(arena, pointers, count, TEXT(", "));
}

// Mode audit: say what would have changed, and take it back.
static int audit_rule(const struct mutator *mutator, struct patch *patch, size_t start,
                      struct arena *arena, struct answer *answer) {
  struct text pointers = list_pointers(patch, start, arena);
  struct text warning = arena_printf(arena, "rayfix: %s (audit) would change %.*s", mutator->name,
                                     TEXT_ARG(pointers));
  if (pointers.data == NULL || warning.data == NULL) {
    return -1;
  }
  answer_warn(answer, warning);
  patch_truncate(patch, start);
  return 0;
}

struct run {
  const struct admission_config *config;
  const struct pod_view *pod;
  struct patch *patch;
  struct arena *arena;
  struct answer *answer;
};

static int run_rule(const struct run *run, const struct mutator *mutator,
                    const struct rule_setting *setting, struct rule_report *report) {
  *report = (struct rule_report){.rule = mutator->name, .result = RULE_NOT_APPLICABLE};
  if (setting->mode == MODE_OFF) {
    report->result = RULE_OFF;
    return 0;
  }
  if (run->config->allow_opt_out && opted_out(run->pod, mutator)) {
    report->result = RULE_SKIPPED;
    report->note = TEXT("opted out");
    return 0;
  }
  if (!mutator->applies(run->pod, setting->options)) {
    return 0;
  }
  size_t start = patch_count(run->patch);
  patch_begin_rule(run->patch);
  mutator->apply(run->pod, setting->options, run->patch);
  struct rule_patch outcome = patch_end_rule(run->patch);
  report->operations = outcome.operations;
  report->note = outcome.note;
  if (outcome.refused) {
    report->result = RULE_SKIPPED;
  } else if (outcome.operations > 0 && setting->mode == MODE_AUDIT) {
    report->result = RULE_AUDITED;
    return patch_failed(run->patch)
               ? -1
               : audit_rule(mutator, run->patch, start, run->arena, run->answer);
  } else if (outcome.operations > 0) {
    report->result = RULE_APPLIED;
  }
  return 0;
}

// ---- what was done, for people ----

// True if the comma-separated `names` have `name`.
static bool names_contain(struct text names, struct text name) {
  for (size_t start = 0; start < names.len;) {
    size_t end = text_find(names, TEXT(","), start);
    if (text_equals(text_slice(names, start, end), name)) {
      return true;
    }
    start = end + 1;
  }
  return false;
}

// The names of the rules with this result, and those in `also`, sorted (as the table is).
static struct text list_rules(const struct rule_report *reports, enum rule_result result,
                              struct text also, struct arena *arena) {
  struct text *names = arena_calloc(arena, mutator_count + 1, sizeof *names);
  size_t count = 0;
  for (size_t i = 0; names != NULL && i < mutator_count; i++) {
    struct text name = text_of(reports[i].rule);
    if (reports[i].result == result || names_contain(also, name)) {
      names[count++] = name;
    }
  }
  return names == NULL ? (struct text){NULL, 0} : arena_join(arena, names, count, TEXT(","));
}

// rayfix.io/applied is a record for people and decides nothing: users can set it. What an earlier
// round has recorded stays in it, so that a reinvocation does not make it forget.
static int record_applied(const struct run *run, const struct rule_report *reports) {
  yyjson_val *earlier = yyjson_obj_get(run->pod->annotations, APPLIED_ANNOTATION);
  struct text names = list_rules(reports, RULE_APPLIED, json_text(earlier), run->arena);
  if (names.data == NULL) {
    return -1;
  }
  patch_begin_rule(run->patch);
  patch_set(run->patch, value_string(run->patch, names), APPLIED_POINTER);
  patch_end_rule(run->patch);
  answer_audit(run->answer, "applied", names);
  return 0;
}

static int finish_patch(const struct run *run, const struct rule_report *reports,
                        struct decision *decision) {
  struct text audited = list_rules(reports, RULE_AUDITED, TEXT(""), run->arena);
  struct text skipped = list_rules(reports, RULE_SKIPPED, TEXT(""), run->arena);
  if (audited.data == NULL || skipped.data == NULL) {
    return -1;
  }
  if (patch_count(run->patch) > 0 && record_applied(run, reports) != 0) {
    return -1;
  }
  answer_audit(run->answer, "audited", audited);
  answer_audit(run->answer, "skipped", skipped);
  if (patch_failed(run->patch)) {
    return -1;
  }
  decision->patch_operations = patch_count(run->patch);
  if (decision->patch_operations > 0) {
    decision->patch = patch_write(run->patch);
    run->answer->patch = decision->patch;
    return decision->patch.data == NULL ? -1 : 0;
  }
  return 0;
}

int mutate_request(const struct admission_config *config, const struct admission_request *request,
                   struct arena *arena, struct answer *answer, struct decision *decision) {
  if (!is_pod_creation(request)) {
    decision->reason = TEXT("not the creation of a pod");
    return 0;
  }
  struct pod_view pod;
  if (pod_view_read(request->object, &config->gpu_resources, arena, &pod) != 0) {
    return -1;
  }
  decision->reason = out_of_scope(&pod, config->allow_opt_out);
  if (decision->reason.len > 0) {
    return 0;
  }
  struct run run = {config, &pod, patch_new(request->object, arena), arena, answer};
  struct rule_report *reports = arena_calloc(arena, mutator_count + 1, sizeof *reports);
  if (run.patch == NULL || reports == NULL) {
    return -1;
  }
  const struct ruleset *rules = admission_config_rules(config, request->namespace_name);
  for (size_t i = 0; i < mutator_count; i++) {
    if (run_rule(&run, mutators[i], &rules->mutators[i], &reports[i]) != 0) {
      return -1;
    }
  }
  decision->reports = reports;
  decision->report_count = mutator_count;
  return finish_patch(&run, reports, decision);
}
