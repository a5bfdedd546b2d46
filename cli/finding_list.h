#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "admission/arena.h"
#include "admission/buffer.h"

// What `rayfix doctor` has to say.

enum severity { SEVERITY_NOTE, SEVERITY_WARNING, SEVERITY_ERROR };

struct finding_row {
  enum severity severity;
  const char *check;  // "webhook-endpoints", for scripts
  const char *where;  // "ValidatingWebhookConfiguration/rayfix ray-validate-create.rayfix.io"
  const char *what;   // was found
  const char *why;    // it matters
  const char *fix;    // a command, or what to do; "" if nothing is to be done
};

struct finding_list {
  struct arena *arena;  // of the texts and rows
  struct finding_row *rows;
  size_t count;
  size_t capacity;
  bool failed;  // memory was short: what is there is not all
};

// A formatted text that lives with the list; "" and failed when memory is short. Control characters
// are made blanks: names come from the cluster.
__attribute__((format(printf, 2, 3))) const char *finding_text(struct finding_list *list,
                                                               const char *format, ...);

// Adds a copy of the row; its texts are borrowed for the life of the list.
void finding_add(struct finding_list *list, const struct finding_row *row);

size_t finding_count(const struct finding_list *list, enum severity severity);

// Errors first. `head` is a line above all ("cluster …"), or "".
void finding_write_text(const struct finding_list *list, const char *head, struct buffer *out);

extern const char *const severity_names[];  // by enum severity
