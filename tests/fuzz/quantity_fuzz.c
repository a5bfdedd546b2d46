// A quantity that is taken is written in a form that is the same quantity.

#include <string.h>

#include "admission/quantity.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct quantity quantity;
  struct quantity again;
  char text[QUANTITY_TEXT_MAX];
  if (quantity_parse((struct text){(const char *)data, size}, &quantity)) {
    quantity_format(quantity, text);
    FUZZ_REQUIRE(quantity_parse((struct text){text, strlen(text)}, &again));
    FUZZ_REQUIRE(quantity.nano == again.nano);
  }
  return 0;
}
