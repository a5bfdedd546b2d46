#pragma once

#include <jansson.h>
#include <stdint.h>

#include "admission/buffer.h"
#include "cli/audit_judge.h"

// What `rayfix audit` found, by namespace.

struct audit_line {
  const char *kind;
  const char *name;
  const char *rule;  // "request" for a denial that no rule made
  const char *id;
  const char *action;
  const char *path;
  const char *message;
  const char *found;
  const char *wanted;
  const char *fix;
  struct audit_line *next;
};

struct audit_namespace {
  const char *name;
  size_t objects;
  size_t denied;
  size_t warned;
  struct audit_usage usage;
  struct audit_line *first;
  struct audit_line *last;
  struct audit_namespace *next;
};

struct audit_report {
  struct arena *arena;            // of everything
  struct audit_namespace *first;  // by name
  bool failed;                    // memory was short
};

// Adds one object and what was said about it.
void audit_report_add(struct audit_report *report, const char *namespace_, const char *kind,
                      const char *name, const struct audit_verdict *verdict);

size_t audit_report_denied(const struct audit_report *report);

void audit_report_text(const struct audit_report *report, struct buffer *out);

// An array of namespaces; NULL when memory is short.
json_t *audit_report_json(const struct audit_report *report);
