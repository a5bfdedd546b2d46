#include "cli/audit_report.h"

#include <string.h>

#include "admission/validate.h"

static const char *keep(struct audit_report *report, struct text text) {
  char *copy = arena_alloc(report->arena, text.len + 1);
  if (copy == NULL) {
    report->failed = true;
    return "";
  }
  if (text.len > 0) {
    memcpy(copy, text.data, text.len);
  }
  copy[text.len] = '\0';
  text_blank_controls(copy, text.len);
  return copy;
}

static struct audit_namespace *find(struct audit_report *report, const char *name) {
  struct audit_namespace **at = &report->first;
  while (*at != NULL && strcmp((*at)->name, name) < 0) {
    at = &(*at)->next;
  }
  if (*at != NULL && strcmp((*at)->name, name) == 0) {
    return *at;
  }
  struct audit_namespace *made = arena_calloc(report->arena, 1, sizeof *made);
  if (made == NULL) {
    report->failed = true;
    return NULL;
  }
  made->name = keep(report, text_of(name));
  made->next = *at;
  *at = made;
  return made;
}

static void add_line(struct audit_report *report, struct audit_namespace *namespace_,
                     const char *kind, const char *name, const struct violation *violation) {
  struct audit_line *line = arena_calloc(report->arena, 1, sizeof *line);
  if (line == NULL) {
    report->failed = true;
    return;
  }
  *line = (struct audit_line){
      .kind = kind,
      .name = keep(report, text_of(name)),
      .rule = violation->rule,
      .id = violation->id,
      .action = validator_action_names[violation->action],
      .path = keep(report, violation->path),
      .message = keep(report, violation->message),
      .found = keep(report, violation->found),
      .wanted = keep(report, violation->wanted),
      .fix = keep(report, violation->fix),
  };
  *(namespace_->last == NULL ? &namespace_->first : &namespace_->last->next) = line;
  namespace_->last = line;
}

static void add_usage(struct audit_usage *sum, const struct audit_usage *more) {
  const int64_t *from = (const int64_t *)more;
  int64_t *into = (int64_t *)sum;
  for (size_t i = 0; i < sizeof *sum / sizeof *into; i++) {
    into[i] = from[i] > INT64_MAX - into[i] ? INT64_MAX : into[i] + from[i];
  }
}

void audit_report_add(struct audit_report *report, const char *namespace_, const char *kind,
                      const char *name, const struct audit_verdict *verdict) {
  struct audit_namespace *into = find(report, namespace_);
  if (into == NULL) {
    return;
  }
  bool warns = false;
  into->objects++;
  add_usage(&into->usage, &verdict->usage);
  for (size_t i = 0; i < verdict->violation_count; i++) {
    warns = warns || verdict->violations[i].action == ACTION_WARN;
    add_line(report, into, kind, name, &verdict->violations[i]);
  }
  if (verdict->is_denied && verdict->violation_count == 0) {
    struct violation violation = {
        .rule = "request", .id = "", .action = ACTION_DENY, .message = verdict->message};
    add_line(report, into, kind, name, &violation);
  }
  into->denied += verdict->is_denied ? 1 : 0;
  into->warned += !verdict->is_denied && warns ? 1 : 0;
}

size_t audit_report_denied(const struct audit_report *report) {
  size_t denied = 0;
  for (const struct audit_namespace *at = report->first; at != NULL; at = at->next) {
    denied += at->denied;
  }
  return denied;
}

static void put_count(struct buffer *out, int width, int64_t count) {
  if (count == INT64_MAX) {
    buffer_printf(out, " %*s", width, "no limit");
  } else {
    buffer_printf(out, " %*lld", width, (long long)count);
  }
}

static void put_namespace(struct buffer *out, const struct audit_namespace *at, int width) {
  buffer_printf(out, "%-*s %7zu %6zu %6zu", width, at->name, at->objects, at->denied, at->warned);
  put_count(out, 7, at->usage.workers);
  put_count(out, 8, at->usage.max_workers);
  put_count(out, 12, at->usage.idle_workers);
  put_count(out, 6, at->usage.gpus);
  put_count(out, 9, at->usage.idle_gpus);
  buffer_append(out, "\n", 1);
}

static void put_line(struct buffer *out, const char *namespace_, const struct audit_line *line) {
  buffer_printf(out, "%s %s/%s: %s %s%s%s%s: %s\n", namespace_, line->kind, line->name,
                line->action, line->rule, line->id[0] == '\0' ? "" : " (", line->id,
                line->id[0] == '\0' ? "" : ")", line->message);
  if (line->path[0] != '\0') {
    buffer_printf(out, "    path:   %s; found: %s; wanted: %s\n", line->path, line->found,
                  line->wanted);
  }
  if (line->fix[0] != '\0') {
    buffer_printf(out, "    fix:    %s\n", line->fix);
  }
}

void audit_report_text(const struct audit_report *report, struct buffer *out) {
  int width = 9;
  for (const struct audit_namespace *at = report->first; at != NULL; at = at->next) {
    int len = (int)text_cut(text_of(at->name), 63).len;
    width = len > width ? len : width;
  }
  for (const struct audit_namespace *at = report->first; at != NULL; at = at->next) {
    for (const struct audit_line *line = at->first; line != NULL; line = line->next) {
      put_line(out, at->name, line);
    }
  }
  if (report->first == NULL) {
    buffer_append_text(out, TEXT("No Ray resource and no PodDisruptionBudget exists.\n"));
    return;
  }
  buffer_printf(out, "%-*s OBJECTS DENIED WARNED WORKERS      MAX IDLE-WORKERS   GPUS IDLE-GPUS\n",
                width, "NAMESPACE");
  for (const struct audit_namespace *at = report->first; at != NULL; at = at->next) {
    put_namespace(out, at, width);
  }
}

static json_t *count_json(int64_t count) {
  return count == INT64_MAX ? json_null() : json_integer(count);
}

static json_t *lines_json(const struct audit_namespace *at) {
  json_t *lines = json_array();
  for (const struct audit_line *line = at->first; line != NULL; line = line->next) {
    json_t *one = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "kind",
                            line->kind, "name", line->name, "rule", line->rule, "id", line->id,
                            "action", line->action, "path", line->path, "message", line->message,
                            "found", line->found, "wanted", line->wanted, "fix", line->fix);
    if (json_array_append_new(lines, one) != 0) {
      json_decref(lines);
      return NULL;
    }
  }
  return lines;
}

json_t *audit_report_json(const struct audit_report *report) {
  json_t *namespaces = json_array();
  for (const struct audit_namespace *at = report->first; at != NULL; at = at->next) {
    json_t *one = json_pack(
        "{s:s, s:I, s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:o}", "namespace", at->name, "objects",
        (json_int_t)at->objects, "denied", (json_int_t)at->denied, "warned", (json_int_t)at->warned,
        "workers", count_json(at->usage.workers), "maxWorkers", count_json(at->usage.max_workers),
        "idleWorkers", count_json(at->usage.idle_workers), "gpus", count_json(at->usage.gpus),
        "idleGpus", count_json(at->usage.idle_gpus), "violations", lines_json(at));
    if (json_array_append_new(namespaces, one) != 0) {
      json_decref(namespaces);
      return NULL;
    }
  }
  return namespaces;
}
