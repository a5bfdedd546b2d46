#pragma once

#include "admission/option.h"

// The option rows of the fields of struct admission_config that belong to no rule. The base struct
// of both tables is struct admission_config.

extern const struct option admission_options[];  // top-level keys: gpuResources, allowOptOut
extern const size_t admission_option_count;

extern const struct option exempt_options[];  // keys under `exempt`
extern const size_t exempt_option_count;
