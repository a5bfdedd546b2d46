#pragma once

// An error that cannot fail itself: a fixed buffer on the caller's stack, passed as the last
// parameter. A function that takes one returns 0 or a negative number and sets the text exactly
// when it returns a negative number; callers add context on the way up with error_wrap().
struct error {
  char text[1024];
};

__attribute__((format(printf, 2, 3))) int error_set(struct error *error, const char *format, ...);

// Puts a formatted context and ": " in front of the text that is there. Both return -1, so that a
// function can end with `return error_wrap(...)`.
__attribute__((format(printf, 2, 3))) int error_wrap(struct error *error, const char *format, ...);
