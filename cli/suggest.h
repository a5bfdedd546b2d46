#pragma once

#include <stddef.h>

// nearest_name() of admission/option.h for files that include <getopt.h>, whose `struct option` is
// another one. Prints "; did you mean <prefix><name>?" on stderr if some name is near.
void suggest_name(const char *wanted, size_t wanted_len, const char *prefix,
                  const char *const *names, size_t count);
