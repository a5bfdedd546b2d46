#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "admission/text.h"

__extension__ typedef __int128 int128;

// A Kubernetes resource quantity, exact, in units of 10^-9 (semantics §4.2). It saturates at
// ±(2^63 - 1) whole units, as no quantity that a node can hold comes near; below one nano it
// rounds away from zero, as apimachinery does. Compare with < and == on `nano`.
struct quantity {
  int128 nano;
};

#define QUANTITY_NANO ((int128)1000000000)
#define QUANTITY_MAX_UNITS ((int128)9223372036854775807LL)

// Reads the grammar of apimachinery (pkg/api/resource/quantity.go, suffix.go): sign?, digits with
// an optional point, then Ki..Ei, n u m k M G T P E, or e/E with a signed integer. Where that
// parser differs from its own grammar we follow the parser: "." and "Ki" are 0. tests/quantity/
// proves it. Returns false, and leaves *ret_quantity alone, when Kubernetes would refuse the text.
bool quantity_parse(struct text text, struct quantity *ret_quantity);

struct quantity quantity_of_units(long long units);

// Saturating sum and product.
struct quantity quantity_add(struct quantity a, struct quantity b);
struct quantity quantity_times(struct quantity quantity, long long factor);

// Large enough for every quantity_format() result with its NUL.
#define QUANTITY_TEXT_MAX 48

// Writes the shortest exact form with a binary suffix ("64Gi", "7629Mi") if the value is a
// multiple of 1Mi, otherwise as a decimal ("1500m", "16", "0.3"…). NUL-terminated.
void quantity_format(struct quantity quantity, char text[QUANTITY_TEXT_MAX]);
