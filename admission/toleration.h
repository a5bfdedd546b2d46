#pragma once

#include <stdbool.h>
#include <yyjson.h>

#include "admission/pod.h"
#include "admission/text.h"

// Which taint a node with accelerators carries, and whether tolerations cover a taint with effect
// NoSchedule (semantics M6). The mutator that adds tolerations and the validators that judge them
// read them in the same way.

// The accelerators besides nvidia.com/* and amd.com/* whose taint is named after the resource.
#define TOLERATION_ACCELERATORS \
  "gpu.intel.com/i915, gpu.intel.com/xe, habana.ai/gaudi, google.com/tpu, aws.amazon.com/neuron*"

// The key of the taint that keeps pods away which do not ask for this resource; empty if nothing
// is asked for or the resource is no accelerator. `more` are globs. Borrowed.
struct text toleration_needed_key(const struct extended_resource *resource,
                                  const struct text_list *more);

// True for a toleration of every key: operator Exists and no key.
bool toleration_is_blanket(yyjson_val *toleration);

// True if this toleration covers the taint key:NoSchedule, whatever the taint's value.
bool toleration_covers(yyjson_val *toleration, struct text key);

// True if some item of the list does.
bool tolerations_cover(yyjson_val *tolerations, struct text key);
