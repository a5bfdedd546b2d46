#include "tests/validators/verdict.h"

#include <check.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "admission/buffer.h"
#include "tests/rules/envelope.h"

// ---- the request ----

struct kind {
  const char *name;
  const char *group;
  const char *version;
  const char *resource;
};

static const struct kind kinds[] = {
    {"RayCluster", "ray.io", "v1", "rayclusters"},
    {"RayJob", "ray.io", "v1", "rayjobs"},
    {"RayService", "ray.io", "v1", "rayservices"},
    {"RayCronJob", "ray.io", "v1", "raycronjobs"},
    {"Pod", "", "v1", "pods"},
    {"PodDisruptionBudget", "policy", "v1", "poddisruptionbudgets"},
    {"Node", "", "v1", "nodes"},
};

static const struct kind *kind_named(const char *name) {
  for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
    if (strcmp(kinds[i].name, name) == 0) {
      return &kinds[i];
    }
  }
  ck_abort_msg("no kind is named %s", name);
  return NULL;
}

struct owned_text verdict_wrap(const char *kind_name, const char *operation, struct text object,
                               struct text old_object, yyjson_val *request) {
  const struct kind *kind = kind_named(kind_name);
  struct buffer head = {.max = 4096};
  buffer_printf(&head,
                "{\"uid\":\"" VERDICT_UID
                "\",\"kind\":{\"group\":\"%s\",\"version\":\"%s\",\"kind\":\"%s\"},"
                "\"resource\":{\"group\":\"%s\",\"version\":\"%s\",\"resource\":\"%s\"},"
                "\"name\":\"\",\"namespace\":\"default\",\"operation\":\"%s\","
                "\"userInfo\":{\"username\":\"jane\"},\"dryRun\":false}",
                kind->group, kind->version, kind->name, kind->group, kind->version, kind->resource,
                operation);
  struct owned_text body = envelope_wrap((struct text){head.data, head.len}, request, object,
                                         old_object.len > 0 ? old_object : TEXT("null"));
  buffer_free(&head);
  return body;
}

// ---- the answer ----

static char *copy_string(const char *string) {
  char *copy = strdup(string == NULL ? "" : string);
  ck_assert_ptr_nonnull(copy);
  return copy;
}

static char *copy_text(struct text text) {
  char *copy = strndup(text.data == NULL ? "" : text.data, text.len);
  ck_assert_ptr_nonnull(copy);
  return copy;
}

static void read_status(struct verdict *verdict, const json_t *response) {
  const json_t *status = json_object_get(response, "status");
  ck_assert_msg((status == NULL) == verdict->allowed, "a status exactly on a denial");
  if (status == NULL) {
    return;
  }
  verdict->code = (int)json_integer_value(json_object_get(status, "code"));
  verdict->reason = copy_string(json_string_value(json_object_get(status, "reason")));
  verdict->message = copy_string(json_string_value(json_object_get(status, "message")));
  ck_assert_msg(verdict->message[0] != '\0', "a denial without a message");
  ck_assert_uint_le(strlen(verdict->message), ANSWER_MESSAGE_BYTES);
}

// Within what the API server passes on: no control characters, 256 runes each, 4,096 in all.
static void read_warnings(struct verdict *verdict, const json_t *warnings) {
  size_t total = 0;
  ck_assert_uint_le(json_array_size(warnings), ANSWER_WARNINGS_MAX);
  for (size_t i = 0; i < json_array_size(warnings); i++) {
    const char *warning = json_string_value(json_array_get(warnings, i));
    ck_assert_ptr_nonnull(warning);
    size_t len = strlen(warning);
    ck_assert_msg(len > 0 && len <= ANSWER_WARNING_BYTES, "a warning of %zu bytes", len);
    for (const char *c = warning; *c != '\0'; c++) {
      ck_assert_msg((unsigned char)*c >= 0x20 && *c != 0x7F, "a control character in %s", warning);
    }
    total += len;
    verdict->warnings[verdict->warning_count++] = copy_string(warning);
  }
  ck_assert_uint_le(total, 4096);
}

static void check_audit(json_t *annotations) {
  const char *key;
  json_t *value;
  json_object_foreach(annotations, key, value) {
    ck_assert_msg(strchr(key, '/') == NULL && strlen(key) <= 63, "audit annotation %s", key);
    ck_assert_msg(json_string_length(value) > 0, "audit annotation %s is empty", key);
  }
}

static void read_answer(struct verdict *verdict) {
  json_t *body = envelope_read(owned_view(verdict->answer), &verdict->allowed);
  json_t *response = json_object_get(body, "response");
  ck_assert_str_eq(json_string_value(json_object_get(response, "uid")), VERDICT_UID);
  ck_assert_msg(json_object_get(response, "patch") == NULL, "a validator patches");
  read_status(verdict, response);
  read_warnings(verdict, json_object_get(response, "warnings"));
  check_audit(json_object_get(response, "auditAnnotations"));
  json_decref(body);
}

static void read_violations(struct verdict *verdict, const struct decision *decision) {
  verdict->violation_count = decision->violation_count;
  verdict->violations = calloc(decision->violation_count + 1, sizeof *verdict->violations);
  ck_assert_ptr_nonnull(verdict->violations);
  for (size_t i = 0; i < decision->violation_count; i++) {
    const struct violation *violation = &decision->violations[i];
    verdict->violations[i] = (struct verdict_violation){.rule = copy_string(violation->rule),
                                                        .path = copy_text(violation->path),
                                                        .action = violation->action};
    bool says_all = violation->message.len > 0 && violation->found.len > 0 &&
                    violation->wanted.len > 0 && violation->fix.len > 0;
    ck_assert_msg(says_all, "%s: a finding lacks message, found, wanted or fix: %.*s",
                  violation->rule, TEXT_ARG(violation->message));
  }
}

struct verdict verdict_of(const struct admission_config *config, struct arena *arena,
                          struct text body) {
  struct buffer out = {.max = (size_t)64 << 20};
  struct decision decision;
  struct verdict verdict = {0};
  verdict.status =
      admission_review(config, PHASE_VALIDATE, arena, body.data, body.len, &out, &decision);
  verdict.answer = (struct owned_text){out.data, out.len};
  if (verdict.status == ADMISSION_ANSWERED) {
    read_answer(&verdict);
    read_violations(&verdict, &decision);
    ck_assert(verdict.allowed == decision.allowed);
  }
  return verdict;
}

bool verdict_warns(const struct verdict *verdict, const char *text) {
  for (size_t i = 0; i < verdict->warning_count; i++) {
    if (strstr(verdict->warnings[i], text) != NULL) {
      return true;
    }
  }
  return false;
}

void verdict_free(struct verdict *verdict) {
  for (size_t i = 0; i < verdict->warning_count; i++) {
    free(verdict->warnings[i]);
  }
  for (size_t i = 0; i < verdict->violation_count; i++) {
    free(verdict->violations[i].rule);
    free(verdict->violations[i].path);
  }
  free(verdict->violations);
  free(verdict->reason);
  free(verdict->message);
  free(verdict->answer.data);
  *verdict = (struct verdict){0};
}
