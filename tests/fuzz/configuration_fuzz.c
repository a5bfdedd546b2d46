// A configuration file is taken, or every mistake is said.

#include "server/configuration.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  buffer_auto mistakes = {.max = (size_t)16 << 20};
  struct configuration *configuration =
      configuration_parse("fuzz.yaml", (const char *)data, size, &mistakes);
  FUZZ_REQUIRE((configuration == NULL) == (mistakes.len > 0));
  configuration_free(configuration);
  return 0;
}
