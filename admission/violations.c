#include "admission/violations.h"

// A denial shows this many violations in full, the next ones only by rule and path, and counts the
// rest, so that the answer stays within ANSWER_MESSAGE_BYTES.
#define DENIAL_FULL_LINES 40
#define DENIAL_SHORT_LINES 100

struct violations {
  struct arena *arena;
  struct violation *items;
  size_t count;
  size_t capacity;
  size_t denied;
  bool failed;
};

struct violations *violations_new(struct arena *arena) {
  struct violations *violations = arena_calloc(arena, 1, sizeof *violations);
  if (violations != NULL) {
    violations->arena = arena;
  }
  return violations;
}

// What a stranger wrote, a group's name say, must not break out of its line or steer a terminal.
// The text itself if there is nothing to blank.
static struct text clean(struct violations *violations, struct text text) {
  if (!text_has_controls(text)) {
    return text;
  }
  char *copy = arena_alloc(violations->arena, text.len);
  if (copy == NULL) {
    violations->failed = true;
    return (struct text){NULL, 0};
  }
  memcpy(copy, text.data, text.len);
  text_blank_controls(copy, text.len);
  return (struct text){copy, text.len};
}

void violations_add(struct violations *violations, const struct validator *validator,
                    const struct finding *finding, enum validator_action action,
                    bool there_before) {
  if (violations->count == violations->capacity) {
    size_t capacity = violations->capacity == 0 ? 8 : violations->capacity * 2;
    struct violation *grown = arena_calloc(violations->arena, capacity, sizeof *grown);
    if (grown == NULL) {
      violations->failed = true;
      return;
    }
    if (violations->count > 0) {
      memcpy(grown, violations->items, violations->count * sizeof *grown);
    }
    violations->items = grown;
    violations->capacity = capacity;
  }
  violations->denied += action == ACTION_DENY ? 1 : 0;
  violations->items[violations->count++] = (struct violation){
      .rule = validator->name,
      .id = validator->id,
      .action = (int)action,
      .there_before = there_before,
      .path = clean(violations, finding->path),
      .message = clean(violations, finding->message),
      .found = clean(violations, finding->found),
      .wanted = clean(violations, finding->wanted),
      .fix = clean(violations, finding->fix),
  };
}

static bool is_of(const struct violation *violation, const struct validator *validator) {
  return violation->rule == validator->name;
}

enum rule_result violations_result(const struct violations *violations,
                                   const struct validator *validator) {
  enum rule_result result = RULE_NOT_APPLICABLE;
  for (size_t i = 0; i < violations->count; i++) {
    const struct violation *violation = &violations->items[i];
    if (!is_of(violation, validator)) {
      continue;
    }
    if (violation->action == ACTION_DENY) {
      return RULE_DENIED;
    }
    if (violation->action == ACTION_WARN) {
      result = RULE_WARNED;
    } else if (result == RULE_NOT_APPLICABLE) {
      result = RULE_AUDITED;
    }
  }
  return result;
}

// ---- words ----

static struct text append(struct violations *violations, struct text all, struct text more) {
  struct text joined = {NULL, 0};
  if (all.data != NULL && more.data != NULL) {
    char *bytes = arena_alloc(violations->arena, all.len + more.len);
    if (bytes != NULL) {
      memcpy(bytes, all.data, all.len);
      memcpy(bytes + all.len, more.data, more.len);
      joined = (struct text){bytes, all.len + more.len};
    }
  }
  violations->failed = violations->failed || joined.data == NULL;
  return joined;
}

// One violation on one line: rule, what, where, found, wanted, how to fix, how to be exempted.
static struct text denial_line(struct violations *violations, const struct violation *violation) {
  return arena_printf(
      violations->arena,
      "\n- %s (%s): %.*s. Path: %.*s; found: %.*s; wanted: %.*s. Fix: %.*s. "
      "Exempt: validators.%s.action in rayfix's configuration, there also by namespace",
      violation->rule, violation->id, TEXT_ARG(violation->message), TEXT_ARG(violation->path),
      TEXT_ARG(violation->found), TEXT_ARG(violation->wanted), TEXT_ARG(violation->fix),
      violation->rule);
}

static struct text denial_short_line(struct violations *violations,
                                     const struct violation *violation) {
  return arena_printf(violations->arena, "\n- %s (%s): %.*s", violation->rule, violation->id,
                      TEXT_ARG(violation->path));
}

static struct text denial(struct violations *violations, const struct subject *subject) {
  struct text name = clean(violations, subject->name);
  struct text message =
      arena_printf(violations->arena, "rayfix refuses %.*s '%.*s': %zu violation%s",
                   TEXT_ARG(subject->kind_name), TEXT_ARG(name), violations->denied,
                   violations->denied == 1 ? "" : "s");
  size_t lines = 0;
  for (size_t i = 0; i < violations->count && lines < DENIAL_FULL_LINES + DENIAL_SHORT_LINES; i++) {
    const struct violation *violation = &violations->items[i];
    if (violation->action == ACTION_DENY) {
      struct text line = lines < DENIAL_FULL_LINES ? denial_line(violations, violation)
                                                   : denial_short_line(violations, violation);
      message = append(violations, message, line);
      lines++;
    }
  }
  if (lines < violations->denied) {
    message =
        append(violations, message,
               arena_printf(violations->arena, "\n- and %zu more", violations->denied - lines));
  }
  return message;
}

static void warn(struct violations *violations, const struct violation *violation,
                 struct answer *answer) {
  struct text warning =
      arena_printf(violations->arena, "rayfix: %s: %.*s%s", violation->rule,
                   TEXT_ARG(violation->message), violation->there_before ? " (as before)" : "");
  violations->failed = violations->failed || warning.data == NULL;
  answer_warn(answer, warning);
}

// The names of the rules with some violation of this action, sorted as the table is.
static struct text rules_with(struct violations *violations, enum validator_action action) {
  struct text list = TEXT("");
  const char *last = NULL;
  for (size_t i = 0; i < violations->count && list.data != NULL; i++) {
    const struct violation *violation = &violations->items[i];
    if (violation->action == (int)action && violation->rule != last) {
      last = violation->rule;
      list = arena_printf(violations->arena, "%.*s%s%s", TEXT_ARG(list), list.len == 0 ? "" : ",",
                          last);
    }
  }
  violations->failed = violations->failed || list.data == NULL;
  return list;
}

int violations_answer(struct violations *violations, const struct subject *subject,
                      struct answer *answer, struct decision *decision) {
  for (size_t i = 0; i < violations->count; i++) {
    if (violations->items[i].action == ACTION_WARN) {
      warn(violations, &violations->items[i], answer);
    }
  }
  answer_audit(answer, "denied", rules_with(violations, ACTION_DENY));
  answer_audit(answer, "warned", rules_with(violations, ACTION_WARN));
  answer_audit(answer, "audited", rules_with(violations, ACTION_AUDIT));
  if (violations->denied > 0) {
    answer->allowed = false;
    answer->code = 403;
    answer->reason = "Forbidden";
    answer->message = denial(violations, subject);
  }
  decision->violations = violations->items;
  decision->violation_count = violations->count;
  return violations->failed || (violations->denied > 0 && answer->message.data == NULL) ? -1 : 0;
}
