#pragma once

#include <jansson.h>

// Fails the test if `after` differs from `before` anywhere but where an operation of `patch` says
// so: at its path, below it, or, for array elements that were inserted or removed, in that array.
void changes_check(json_t *before, json_t *after, json_t *patch);
