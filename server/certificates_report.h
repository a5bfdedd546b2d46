#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "cluster/cluster.h"

// What is told about certificates: in the log, each problem once until it changes or is over, and
// in Events of the Secret, of which only so many are written in a time.

enum report_subject {
  REPORT_API,       // reading
  REPORT_IDENTITY,  // of the cluster
  REPORT_SECRET,    // what is in the Secret, and writing it
  REPORT_MUTATING,  // caBundle
  REPORT_VALIDATING,
  REPORT_WATCH_SECRET,
  REPORT_WATCH_MUTATING,
  REPORT_WATCH_VALIDATING,
  REPORT_EVENTS,
  REPORT_LEAF,  // what is served
  REPORT_COUNT,
};

struct report {
  uint64_t last[REPORT_COUNT];  // of the problem that was told; 0: none
  unsigned events_left;
  int64_t events_refilled;  // monotonic milliseconds
};

// A fault of a call, which also counts in the metrics. Told again only when its kind changes.
void report_fault(struct report *report, enum report_subject subject, const char *what,
                  const struct fault *fault);

// Told again only when the text changes; true if it was told.
bool report_problem(struct report *report, enum report_subject subject, const char *text);

void report_solved(struct report *report, enum report_subject subject);

struct report_place {
  struct cluster *cluster;
  const char *namespace_;
  const char *secret;
};

// Writes an Event. That it cannot be written is no more than a line in the log.
void report_event(struct report *report, const struct report_place *place, const char *reason,
                  const char *message, bool warning);
