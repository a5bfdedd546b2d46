#include "cluster/material.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void wipe(struct material *material) {
  if (material->bytes != NULL) {
    explicit_bzero(material->bytes, material->len);
    free(material->bytes);
  }
  material->bytes = NULL;
  material->len = 0;
}

int material_set(struct material *material, const char *text, const char *path) {
  if (path != NULL) {
    material->path = strdup(path);
    return material->path == NULL ? -1 : 0;
  }
  if (text != NULL) {
    material->bytes = strdup(text);
    material->len = material->bytes == NULL ? 0 : strlen(text);
    return material->bytes == NULL ? -1 : 0;
  }
  return 0;
}

static bool is_unchanged(const struct stat *a, const struct stat *b) {
  return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
         a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
         a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

static void close_fd(const int *fd) {
  if (*fd >= 0) {
    close(*fd);
  }
}

// Reads until the end or `size` bytes. -1 with errno.
static ssize_t read_all(int fd, char *bytes, size_t size) {
  size_t len = 0;
  while (len < size) {
    ssize_t got = read(fd, bytes + len, size - len);
    if (got < 0 && errno == EINTR) {
      continue;
    }
    if (got <= 0) {
      return got < 0 ? -1 : (ssize_t)len;
    }
    len += (size_t)got;
  }
  return (ssize_t)len;
}

static int keep(struct material *material, const char *bytes, size_t len, const struct stat *status,
                struct error *error) {
  while (len > 0 && strchr(" \t\r\n", bytes[len - 1]) != NULL) {
    len--;
  }
  if (len == 0) {
    return error_set(error, "%s: is empty", material->path);
  }
  if (memchr(bytes, '\0', len) != NULL) {
    return error_set(error, "%s: found a NUL byte, wanted text", material->path);
  }
  char *copy = malloc(len + 1);
  if (copy == NULL) {
    return error_set(error, "%s: out of memory", material->path);
  }
  memcpy(copy, bytes, len);
  copy[len] = '\0';
  wipe(material);
  material->bytes = copy;
  material->len = len;
  material->status = *status;
  return 0;
}

static int read_file(struct material *material, struct error *error) {
  __attribute__((cleanup(close_fd))) int fd = open(material->path, O_RDONLY | O_CLOEXEC);
  struct stat status;
  if (fd < 0 || fstat(fd, &status) != 0) {
    return error_set(error, "%s: %s", material->path, strerror(errno));
  }
  if (!S_ISREG(status.st_mode)) {
    return error_set(error, "%s: is no regular file", material->path);
  }
  if (status.st_size > (off_t)MATERIAL_MAX) {
    return error_set(error, "%s: found %lld bytes, wanted at most %zu", material->path,
                     (long long)status.st_size, MATERIAL_MAX);
  }
  size_t size = (size_t)status.st_size + 1;  // one more, to see that it does not grow
  char *bytes = malloc(size);
  if (bytes == NULL) {
    return error_set(error, "%s: out of memory", material->path);
  }
  ssize_t len = read_all(fd, bytes, size);
  int result = len < 0 ? error_set(error, "%s: %s", material->path, strerror(errno))
                       : keep(material, bytes, (size_t)len, &status, error);
  explicit_bzero(bytes, size);
  free(bytes);
  return result;
}

int material_refresh(struct material *material, struct error *error) {
  struct stat status;
  if (material->path == NULL) {
    return 0;
  }
  if (material->bytes != NULL && stat(material->path, &status) == 0 &&
      is_unchanged(&status, &material->status)) {
    return 0;
  }
  int result = read_file(material, error);
  return material->bytes != NULL ? 0 : result;
}

void material_forget(struct material *material) {
  material->status = (struct stat){.st_ino = 0};
}

void material_free(struct material *material) {
  wipe(material);
  free(material->path);
  *material = (struct material){.path = NULL};
}
