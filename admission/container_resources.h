#pragma once

#include <stdbool.h>

#include "admission/findings.h"
#include "admission/pod.h"
#include "admission/quantity.h"
#include "admission/subject.h"
#include "admission/text.h"

// What a container asks for (semantics §4.2), with the place where it is written. What does not
// parse counts as not written: rule `quantities` reports it.
//
// The Ray container of a pod with pod-level resources (Kubernetes 1.32) may use what the pod has
// where it names no amount itself. Other containers, a mesh proxy say, are not taken to be the ones
// for which the pod's amount is meant.

enum amount_place { AMOUNT_ABSENT, AMOUNT_IN_CONTAINER, AMOUNT_IN_POD };

struct amount {
  enum amount_place place;
  const char *list;  // "limits" or "requests"
  struct quantity quantity;
  yyjson_val *source;
};

// `resource` is "cpu" or "memory" in all of these.
struct amount container_limit(const struct group_view *group,
                              const struct container_view *container, const char *resource);

// Requests, else limits: the API server defaults Pods so, custom resources are not defaulted.
struct amount container_request(const struct group_view *group,
                                const struct container_view *container, const char *resource);

// max(requests, limits).
struct amount container_effective(const struct group_view *group,
                                  const struct container_view *container, const char *resource);

// "spec.….containers[0].resources.limits.cpu". An amount that is absent is missing in the
// container's `list`.
struct text amount_path(struct findings *findings, const struct group_view *group,
                        const struct container_view *container, const struct amount *amount,
                        const char *list, const char *resource);

// The shortest exact form, as quantity_format().
struct text quantity_text(struct findings *findings, struct quantity quantity);

// A limit for what one container asks for: rules cpu-limit and memory-limit.
struct container_rule {
  const char *resource;
  const char *unit;    // behind the amount in the message: " CPUs"
  const char *option;  // that raises the limit: "validators.cpu-limit.max"
  struct quantity max;
  bool apply_to_head;
};

// Reports every container that asks for more than the maximum. Of a Pod only the Ray container: a
// mesh injects others, and a proxy's limit must not turn a legal worker into a violation
// (semantics §4.4, notes). Init containers are ignored.
void containers_check(const struct subject *subject, const struct container_rule *rule,
                      struct findings *findings);
