#pragma once

#include <stdbool.h>

#include "admission/findings.h"
#include "admission/pod.h"
#include "admission/subject.h"
#include "admission/text.h"

// How validators call the things they speak of: in messages, as paths and as keys of the ratchet.
// All texts are arena-owned and bounded, however long the names in the object are; .data is NULL,
// and the failure remembered, when memory is short.

// At most 63 bytes of a name, which is all that Kubernetes allows, cut between two characters.
struct text name_text(struct text name);

// "worker group 'g'", "head group" or, for a Pod, "pod".
struct text group_title(struct findings *findings, const struct group_view *group);

// "worker group 'g': container 'c'"; for a Pod only "container 'c'".
struct text container_title(struct findings *findings, const struct group_view *group,
                            const struct container_view *container);

// The same for the same thing in the old and in the new object: group and `thing`, which may be
// empty. The head group and a worker group named "head" differ.
struct text group_key(struct findings *findings, const struct group_view *group, struct text thing);

// group_key() of a container and something of it.
struct text container_key(struct findings *findings, const struct group_view *group,
                          const struct container_view *container, const char *thing);

// "spec.workerGroupSpecs[1].template.spec.<child>"; for a Pod "spec.<child>".
struct text pod_spec_path(struct findings *findings, const struct group_view *group,
                          const char *child);

// A value as it is written, for the "found" of a finding: text of strings and numbers, otherwise
// its type. Bounded as name_text().
struct text value_text(struct findings *findings, yyjson_val *value);
