#include "certs/files.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "certs/certs.h"

void certs_bytes_free(struct certs_bytes *bytes) {
  if (bytes->data != NULL) {
    OPENSSL_cleanse(bytes->data, bytes->len);
    free(bytes->data);
    *bytes = (struct certs_bytes){0};
  }
}

int certs_path(char path[PATH_MAX], const char *dir, const char *name, struct error *error) {
  int len = snprintf(path, PATH_MAX, "%s/%s", dir, name);
  if (len < 0 || len >= PATH_MAX) {
    return error_set(error, "path too long: %.100s.../%s", dir, name);
  }
  return 0;
}

static int check_kind_and_size(int fd, const char *path, size_t *ret_size, struct error *error) {
  struct stat status;
  if (fstat(fd, &status) != 0) {
    return error_set(error, "%s: cannot read: %s", path, strerror(errno));
  }
  if (!S_ISREG(status.st_mode)) {
    return error_set(error, "%s: not a regular file", path);
  }
  if (status.st_size > CERTS_FILE_MAX) {
    return error_set(error, "%s: %lld bytes; at most %d are read", path, (long long)status.st_size,
                     CERTS_FILE_MAX);
  }
  *ret_size = (size_t)status.st_size;
  return 0;
}

int certs_file_open(const char *path, bool may_be_absent, size_t *ret_size, struct error *error) {
  // Without O_NONBLOCK a FIFO under that name would block for ever.
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0 && errno == ENOENT && may_be_absent) {
    error->text[0] = '\0';
    return -1;
  }
  if (fd < 0) {
    return error_set(error, "%s: cannot open: %s", path, strerror(errno));
  }
  if (check_kind_and_size(fd, path, ret_size, error) != 0) {
    close(fd);
    return -1;
  }
  return fd;
}

// Reads `size` bytes, and sees that there are no more.
static int read_all(int fd, const char *path, size_t size, char *data, struct error *error) {
  size_t len = 0;
  while (len <= size) {
    ssize_t got = read(fd, data + len, size + 1 - len);
    if (got < 0 && errno == EINTR) {
      continue;
    }
    if (got < 0) {
      return error_set(error, "%s: cannot read: %s", path, strerror(errno));
    }
    if (got == 0) {
      break;
    }
    len += (size_t)got;
  }
  if (len != size) {
    return error_set(error, "%s: changed its size while it was read", path);
  }
  data[len] = '\0';
  return 0;
}

int certs_file_read(const char *path, bool may_be_absent, struct certs_bytes *ret,
                    struct error *error) {
  *ret = (struct certs_bytes){0};
  size_t size = 0;
  int fd = certs_file_open(path, may_be_absent, &size, error);
  if (fd < 0) {
    return error->text[0] == '\0' ? 0 : -1;
  }
  struct certs_bytes bytes = {.data = malloc(size + 1), .len = size};
  int result = -1;
  if (bytes.data == NULL) {
    error_set(error, "%s: no memory to read it", path);
  } else {
    result = read_all(fd, path, size, bytes.data, error);
  }
  close(fd);
  if (result != 0) {
    certs_bytes_free(&bytes);
    return -1;
  }
  *ret = bytes;
  return 0;
}

int certs_dir_check_readable(const char *dir, struct error *error) {
  static const struct {
    const char *name;
    bool may_be_absent;
  } files[] = {{CERTS_CHAIN_FILE, false}, {CERTS_KEY_FILE, false}, {CERTS_CA_FILE, true}};
  for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
    char path[PATH_MAX];
    struct certs_bytes bytes;
    if (certs_path(path, dir, files[i].name, error) != 0 ||
        certs_file_read(path, files[i].may_be_absent, &bytes, error) != 0) {
      return -1;
    }
    certs_bytes_free(&bytes);
  }
  return 0;
}

static bool is_absent(const char *dir, const char *name) {
  char path[PATH_MAX];
  struct error ignored;
  struct stat status;
  return certs_path(path, dir, name, &ignored) == 0 && lstat(path, &status) != 0 && errno == ENOENT;
}

bool certs_dir_is_empty(const char *dir) {
  return is_absent(dir, CERTS_CHAIN_FILE) && is_absent(dir, CERTS_KEY_FILE);
}

// FNV-1a, 64 bit (draft-eastlake-fnv): enough to tell "changed", no secret.
static unsigned long long mix(unsigned long long hash, unsigned long long value) {
  for (int byte = 0; byte < 8; byte++) {
    hash = (hash ^ (value >> (8 * byte) & 0xff)) * 0x100000001b3ULL;
  }
  return hash;
}

unsigned long long certs_dir_stamp(const char *dir) {
  static const char *const names[] = {CERTS_CHAIN_FILE, CERTS_KEY_FILE, CERTS_CA_FILE};
  unsigned long long hash = 0xcbf29ce484222325ULL;
  bool any = false;
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    char path[PATH_MAX];
    struct error ignored;
    struct stat status;
    if (certs_path(path, dir, names[i], &ignored) != 0 || stat(path, &status) != 0) {
      hash = mix(hash, i);
      continue;
    }
    any = true;
    hash = mix(hash, (unsigned long long)status.st_dev);
    hash = mix(hash, (unsigned long long)status.st_ino);
    hash = mix(hash, (unsigned long long)status.st_size);
    hash = mix(hash, (unsigned long long)status.st_mtim.tv_sec);
    hash = mix(hash, (unsigned long long)status.st_mtim.tv_nsec);
    hash = mix(hash, (unsigned long long)status.st_ctim.tv_sec);  // a repaired permission
    hash = mix(hash, (unsigned long long)status.st_ctim.tv_nsec);
  }
  return any ? hash | 1 : 0;
}
