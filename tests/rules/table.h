#pragma once

#include <stddef.h>

#include "admission/config.h"

// The table of mutators for tests that read JSON with jansson and so cannot include rule.h.

size_t table_size(void);
const char *table_name(size_t index);

// A configuration in which `rule` alone is on; NULL for all rules with their defaults. Free as any
// configuration.
struct admission_config *table_config(const char *rule);
