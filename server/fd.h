#pragma once

#include "admission/buffer.h"

// Appends what can be read from `fd` to `out`, until the end or until the buffer's maximum is
// reached. 0, or -1 with errno; memory short is ENOMEM.
int fd_read(int fd, struct buffer *out);
