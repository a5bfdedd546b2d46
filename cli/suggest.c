#include "cli/suggest.h"

#include <stdio.h>

#include "admission/option.h"

void suggest_name(const char *wanted, size_t wanted_len, const char *prefix,
                  const char *const *names, size_t count) {
  const char *nearest = nearest_name((struct text){wanted, wanted_len}, names, count);
  if (nearest != NULL) {
    fprintf(stderr, "; did you mean %s%s?", prefix, nearest);
  }
}
