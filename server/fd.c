#include "server/fd.h"

#include <errno.h>
#include <unistd.h>

#define READ_CHUNK ((size_t)64 << 10)

int fd_read(int fd, struct buffer *out) {
  while (out->len < out->max) {
    size_t room = out->max - out->len;
    size_t chunk = room < READ_CHUNK ? room : READ_CHUNK;
    if (!buffer_reserve(out, chunk)) {
      errno = ENOMEM;
      return -1;
    }
    ssize_t got = read(fd, out->data + out->len, chunk);
    if (got == 0) {
      return 0;
    }
    if (got < 0 && errno != EINTR) {
      return -1;
    }
    out->len += got > 0 ? (size_t)got : 0;
  }
  return 0;
}
