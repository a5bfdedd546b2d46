#pragma once

#include "cluster/resource.h"

// Room for what a call does; longer names are cut.
#define CALLS_WHAT_MAX 640

// "get secrets/rayfix-certificates in rayfix-system", "list pods".
void calls_describe(char what[CALLS_WHAT_MAX], const char *verb, const struct resource *resource,
                    const char *namespace_, const char *name);
