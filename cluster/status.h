#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "admission/text.h"
#include "cluster/fault.h"

// What an answer that is no success means: its HTTP code and the Status in its body
// (metav1.Status: message, reason, details). Sets `fault`, returns -1.
int status_fault(const char *what, int http_code, bool is_json, struct text body,
                 struct fault *fault);

// The same of a Status object that came with code 200, as the ERROR event of a watch.
int status_fault_of(const char *what, const json_t *status, struct fault *fault);
