// One attempt with an end.
#pragma once

#include <stdbool.h>

#include "wait-gcs/arguments.h"

#define REASON_MAX 128

// Looks for the GCS for at most 6 s. True: it is there. Otherwise `reason` holds why not, for
// people.
bool attempt_once(const struct arguments *arguments, char reason[REASON_MAX]);
