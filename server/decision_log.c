#include "server/decision_log.h"

#include <string.h>

#include "server/log.h"

#define RULE_NAMES_MAX 512

// The names of the rules with this result, separated by commas, cut at the size.
static struct text rule_names(const struct decision *decision, enum rule_result result,
                              char names[RULE_NAMES_MAX]) {
  size_t len = 0;
  for (size_t i = 0; i < decision->report_count; i++) {
    const struct rule_report *report = &decision->reports[i];
    size_t more = strlen(report->rule);
    if (report->result != result || len + 1 + more > RULE_NAMES_MAX) {
      continue;
    }
    if (len > 0) {
      names[len++] = ',';
    }
    memcpy(names + len, report->rule, more);
    len += more;
  }
  return (struct text){names, len};
}

static int level_of(const struct decision *decision) {
  int level = log_decision_level();
  return !decision->allowed && level > LOG_LEVEL_INFO ? LOG_LEVEL_INFO : level;
}

#define FIELDS_MAX 20

static void add_unless_empty(struct log_field *fields, size_t *count, const char *key,
                             struct text text) {
  if (text.len > 0) {
    fields[(*count)++] = log_text(key, text);
  }
}

void decision_log(const struct decision *decision, const char *path, int64_t microseconds) {
  int level = level_of(decision);
  if (!log_is_on(level)) {
    return;
  }
  char applied[RULE_NAMES_MAX];
  char audited[RULE_NAMES_MAX];
  char warned[RULE_NAMES_MAX];
  char denied[RULE_NAMES_MAX];
  struct log_field fields[FIELDS_MAX];
  size_t count = 0;
  fields[count++] = log_text("path", text_of(path));
  fields[count++] = log_text("uid", decision->uid);
  fields[count++] = log_text("kind", decision->kind);
  fields[count++] = log_text("operation", decision->operation);
  fields[count++] = log_text("namespace", decision->namespace_name);
  fields[count++] = log_text("name", decision->name);
  fields[count++] = log_text("user", decision->user);
  fields[count++] = log_bool("allowed", decision->allowed);
  fields[count++] = log_number("code", decision->code);
  add_unless_empty(fields, &count, "message", decision->message);
  add_unless_empty(fields, &count, "reason", decision->reason);
  add_unless_empty(fields, &count, "rules", rule_names(decision, RULE_APPLIED, applied));
  add_unless_empty(fields, &count, "audited", rule_names(decision, RULE_AUDITED, audited));
  add_unless_empty(fields, &count, "warned", rule_names(decision, RULE_WARNED, warned));
  add_unless_empty(fields, &count, "denied", rule_names(decision, RULE_DENIED, denied));
  fields[count++] = log_number("patchOperations", (int64_t)decision->patch_operations);
  fields[count++] = log_number("durationMicroseconds", microseconds);
  fields[count++] = log_bool("dryRun", decision->dry_run);
  log_fields(level, decision->allowed ? "allowed" : "denied", fields, count);
}
