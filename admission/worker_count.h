#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "admission/findings.h"
#include "admission/subject.h"
#include "admission/text.h"

// How many workers a cluster may grow to (semantics §4.4, notes on V04 and V05).

// maxReplicas × numOfHosts; saturates. A group that sets no maxReplicas counts as its replicas when
// only a change of the spec, which is judged again, can make it grow. With the autoscaler nobody
// knows, so it counts 0 and is to be reported (group_is_unbounded()): were it counted by its
// replicas, the autoscaler's own updates would make an old violation worse. A suspended group
// counts all the same: resuming must never be the moment of refusal.
int64_t group_max_workers(const struct subject *subject, const struct group_view *group);

// True for a worker group that the autoscaler may let grow without end.
bool group_is_unbounded(const struct subject *subject, const struct group_view *group);

// Reports that an unbounded group sets no maxReplicas; `option` is the one that would then apply.
void report_unbounded_group(const struct group_view *group, const char *option,
                            struct findings *findings);

// The groups of a sum, for its message: "cpu: 40, gpu: 20". Only the first few are listed, so that
// a message about 10,000 groups stays readable.
struct group_sum {
  struct text list;
  size_t listed;
  size_t left_out;
};

void group_sum_add(struct group_sum *sum, struct findings *findings, const struct group_view *group,
                   struct text amount);

// The list, with "… and 12 more" if there are more.
struct text group_sum_text(const struct group_sum *sum, struct findings *findings);
