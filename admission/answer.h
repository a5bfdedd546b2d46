#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "admission/arena.h"
#include "admission/buffer.h"
#include "admission/text.h"

// The API server's limits on what a webhook may say (protocol §1.17, §1.18). Beyond them it cuts
// or drops without a word, so everything is brought within them here.
#define ANSWER_WARNINGS_MAX 10      // ten of 250 bytes stay under 4,096 runes in all
#define ANSWER_WARNING_BYTES 250    // it cuts at 256 runes once the total is used up
#define ANSWER_AUDIT_MAX 16         // we have far fewer keys
#define ANSWER_AUDIT_BYTES 1024     // a line of the audit log stays readable
#define ANSWER_MESSAGE_BYTES 32768  // a denial is read by a person

struct audit_annotation {
  const char *key;  // a name of at most 63 of [A-Za-z0-9._-], no slash
  struct text value;
};

struct answer {
  struct text uid;
  bool allowed;
  int code;            // of a denial
  const char *reason;  // of a denial, a metav1.StatusReason
  struct text message;
  struct text patch;  // JSON text, empty without changes
  struct text warnings[ANSWER_WARNINGS_MAX];
  size_t warning_count;
  size_t warnings_left_out;  // beyond the maximum; the last warning then says how many
  struct audit_annotation audit[ANSWER_AUDIT_MAX];
  size_t audit_count;
};

// Adds a warning; control characters become blanks and the text is cut to its limit when written.
void answer_warn(struct answer *answer, struct text warning);

// Adds an audit annotation; an empty value is left out.
void answer_audit(struct answer *answer, const char *key, struct text value);

// Appends the AdmissionReview to `out`. Returns 0, or -1 when memory is short.
int answer_write(const struct answer *answer, struct arena *arena, struct buffer *out);

// Appends a metav1.Status of a failure, for answers that cannot be an AdmissionReview.
int answer_write_status(int code, const char *reason, struct text message, struct buffer *out);
