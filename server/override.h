#pragma once

#include <stddef.h>

#include "admission/error.h"
#include "admission/text.h"

struct configuration;

// A setting from the command line, which wins over the file at start and at every reload.
struct override {
  const char *section;  // "server"
  const char *key;      // "bindAddress"
  struct text value;    // borrowed
};

// Returns 0, or -1 with a reason that names the setting, what came and what was wanted.
int override_apply(struct configuration *configuration, const struct override *overrides,
                   size_t count, struct error *error);
