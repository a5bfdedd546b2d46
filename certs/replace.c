#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "certs/files.h"

// The writing half of files.h.

// As `mkdir -p -m 0700`, but for a folder only its owner may enter also on the way.
static int make_dirs(const char *dir, struct error *error) {
  char path[PATH_MAX];
  if (certs_path(path, dir, "", error) != 0) {  // ends with a slash, so the last one is made too
    return -1;
  }
  for (char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
    *slash = '\0';
    struct stat status;
    if (mkdir(path, 0700) != 0 && errno != EEXIST && stat(path, &status) != 0) {
      return error_set(error, "%s: cannot make the folder: %s", path, strerror(errno));
    }
    *slash = '/';
  }
  return 0;
}

int certs_dir_lock(const char *dir, struct error *error) {
  if (make_dirs(dir, error) != 0) {
    return -1;
  }
  int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) {
    return error_set(error, "%s: cannot open the folder: %s", dir, strerror(errno));
  }
  while (flock(fd, LOCK_EX) != 0) {
    if (errno != EINTR) {
      error_set(error, "%s: cannot lock the folder: %s", dir, strerror(errno));
      close(fd);
      return -1;
    }
  }
  return fd;
}

static void temporary_name(char name[NAME_MAX], const char *final) {
  snprintf(name, NAME_MAX, ".%s.new", final);
}

static int write_all(int fd, const struct certs_output *output) {
  size_t done = 0;
  while (done < output->bytes->len) {
    ssize_t put = write(fd, output->bytes->data + done, output->bytes->len - done);
    if (put < 0 && errno != EINTR) {
      return -1;
    }
    done += put < 0 ? 0 : (size_t)put;
  }
  // The mode is set, not only asked for when opening: a umask must not decide it.
  return fchmod(fd, output->mode) != 0 || fsync(fd) != 0 ? -1 : 0;
}

static int write_temporary(int dir_fd, const char *dir, const struct certs_output *output,
                           struct error *error) {
  char name[NAME_MAX];
  temporary_name(name, output->name);
  // Left by a writer that was killed; the lock says that nobody is using it.
  unlinkat(dir_fd, name, 0);
  int fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (fd < 0) {
    return error_set(error, "%s/%s: cannot write: %s", dir, output->name, strerror(errno));
  }
  int result = write_all(fd, output);
  int reason = errno;
  if (close(fd) != 0 && result == 0) {
    result = -1;
    reason = errno;
  }
  if (result != 0) {
    return error_set(error, "%s/%s: cannot write: %s", dir, output->name, strerror(reason));
  }
  return 0;
}

static int rename_all(int dir_fd, const char *dir, const struct certs_output *outputs, size_t count,
                      struct error *error) {
  for (size_t i = 0; i < count; i++) {
    char name[NAME_MAX];
    temporary_name(name, outputs[i].name);
    if (renameat(dir_fd, name, dir_fd, outputs[i].name) != 0) {
      return error_set(error, "%s/%s: cannot replace: %s", dir, outputs[i].name, strerror(errno));
    }
  }
  // Best effort: some file systems refuse to flush a folder, and the files themselves are flushed.
  (void)fsync(dir_fd);
  return 0;
}

int certs_files_replace(int dir_fd, const char *dir, const struct certs_output *outputs,
                        size_t count, struct error *error) {
  int result = 0;
  for (size_t i = 0; i < count && result == 0; i++) {
    result = write_temporary(dir_fd, dir, &outputs[i], error);
  }
  if (result == 0) {
    result = rename_all(dir_fd, dir, outputs, count, error);
  }
  for (size_t i = 0; i < count && result != 0; i++) {
    char name[NAME_MAX];
    temporary_name(name, outputs[i].name);
    unlinkat(dir_fd, name, 0);
  }
  return result;
}
