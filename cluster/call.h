#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "admission/buffer.h"
#include "cluster/transfer.h"

// One call with its attempts. Appends the body of a 2xx answer to `reply` (whose maximum bounds
// it). 0, or -1 with a fault. Writes have their identity checked before.
// *ret_is_json tells whether the answer says that it is JSON; may be NULL.
int call_perform(struct cluster *cluster, struct request *request, unsigned budget_ms,
                 struct buffer *reply, bool *ret_is_json, struct fault *fault);

// The same, with the answer parsed. An answer that is no JSON object is FAULT_PROTOCOL.
int call_json(struct cluster *cluster, struct request *request, unsigned budget_ms,
              json_t **ret_object, struct fault *fault);
