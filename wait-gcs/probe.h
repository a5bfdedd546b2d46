// One look at every address of a host.
#pragma once

#include "wait-gcs/arguments.h"

// Resolves the host anew (a replaced head has another address), connects to all of its addresses at
// once and listens to what they say. Returns NULL when one of them is a GCS, otherwise why none is:
// a text for people, valid until the next call. Takes no longer than its name servers and 8 s.
const char *probe_host(const struct arguments *arguments);

// The monotonic clock in milliseconds.
long long clock_ms(void);
