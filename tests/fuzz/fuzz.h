#pragma once

#include <stddef.h>
#include <stdint.h>

// What each target here is: one input through one reader, and what must hold whatever it was. The
// name is libFuzzer's, which the preset "fuzz" links; otherwise standalone.c calls it.
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

// Ends the program when something that must hold does not.
#define FUZZ_REQUIRE(condition) \
  do {                          \
    if (!(condition)) {         \
      fuzz_fail(#condition);    \
    }                           \
  } while (0)

_Noreturn void fuzz_fail(const char *condition);
