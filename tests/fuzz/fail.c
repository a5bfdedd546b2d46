#include <stdio.h>
#include <stdlib.h>

#include "tests/fuzz/fuzz.h"

_Noreturn void fuzz_fail(const char *condition) {
  fprintf(stderr, "does not hold: %s\n", condition);
  abort();
}
