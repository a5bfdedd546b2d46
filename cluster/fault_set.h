#pragma once

#include "cluster/fault.h"

// Sets all of `fault` and returns -1. Control characters of the text become blanks.
__attribute__((format(printf, 3, 4))) int fault_set(struct fault *fault, enum fault_kind kind,
                                                    const char *format, ...);

// Puts `what` and ": " in front of the text. Returns -1.
int fault_wrap(struct fault *fault, const char *what);

int fault_out_of_memory(struct fault *fault);
