#include "cli/manifest_files.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "cli/input.h"

void file_list_free(struct file_list *list) {
  if (list == NULL) {
    return;
  }
  for (size_t i = 0; i < list->count; i++) {
    free(list->paths[i]);
  }
  free(list->paths);
  *list = (struct file_list){NULL, 0};
}

static int append(struct file_list *list, const char *path, struct error *error) {
  char **paths = reallocarray(list->paths, list->count + 1, sizeof *paths);
  if (paths == NULL) {
    return error_set(error, "out of memory");
  }
  list->paths = paths;
  paths[list->count] = strdup(path);
  if (paths[list->count] == NULL) {
    return error_set(error, "out of memory");
  }
  list->count++;
  return 0;
}

static bool is_manifest_name(struct text name) {
  return text_ends_with(name, TEXT(".yaml")) || text_ends_with(name, TEXT(".yml")) ||
         text_ends_with(name, TEXT(".json"));
}

static int add_directory(struct file_list *list, const char *path, bool recursive, unsigned depth,
                         struct error *error);

static int add_entry(struct file_list *list, const char *folder, const char *name, bool recursive,
                     unsigned depth, struct error *error) {
  char *path = NULL;
  bool slash = text_ends_with(text_of(folder), TEXT("/"));
  if (asprintf(&path, "%s%s%s", folder, slash ? "" : "/", name) < 0) {
    return error_set(error, "out of memory");
  }
  struct stat entry;
  int status = 0;
  if (lstat(path, &entry) != 0) {
    status = error_set(error, "%s: %s", path, strerror(errno));
  } else if (S_ISDIR(entry.st_mode)) {
    status = recursive ? add_directory(list, path, recursive, depth + 1, error) : 0;
  } else if (is_manifest_name(text_of(name))) {
    status = append(list, path, error);
  }
  free(path);
  return status;
}

static int add_directory(struct file_list *list, const char *path, bool recursive, unsigned depth,
                         struct error *error) {
  if (depth > FILE_LIST_DEPTH_MAX) {
    return error_set(error, "%s: more than %d folders deep", path, FILE_LIST_DEPTH_MAX);
  }
  struct dirent **entries = NULL;
  int count = scandir(path, &entries, NULL, alphasort);
  if (count < 0) {
    return error_set(error, "%s: %s", path, strerror(errno));
  }
  int status = 0;
  for (int i = 0; i < count; i++) {
    const char *name = entries[i]->d_name;
    if (status == 0 && strcmp(name, ".") != 0 && strcmp(name, "..") != 0) {
      status = add_entry(list, path, name, recursive, depth, error);
    }
    free(entries[i]);
  }
  free(entries);
  return status;
}

int file_list_add(struct file_list *list, const char *path, bool recursive, struct error *error) {
  struct stat entry;
  if (strcmp(path, "-") == 0) {
    return append(list, path, error);
  }
  if (stat(path, &entry) != 0) {
    return error_set(error, "%s: %s", path, strerror(errno));
  }
  if (!S_ISDIR(entry.st_mode)) {
    return append(list, path, error);
  }
  size_t before = list->count;
  if (add_directory(list, path, recursive, 0, error) != 0) {
    return -1;
  }
  if (list->count == before) {
    return error_set(error, "%s: no *.yaml, *.yml or *.json in this directory%s", path,
                     recursive ? "" : " (-R looks into those below)");
  }
  return 0;
}

static enum manifest_status read_file(const char *path, struct manifest_list *list,
                                      struct error *error) {
  const char *name = strcmp(path, "-") == 0 ? "standard input" : path;
  buffer_auto bytes = {.max = MANIFEST_BYTES_MAX};
  bool too_large = false;
  if (input_read(path, &bytes, &too_large, error) != 0) {
    return MANIFEST_UNREADABLE;
  }
  if (too_large) {
    error_set(error, "%s: larger than %zu MiB", name, MANIFEST_BYTES_MAX >> 20);
    return MANIFEST_INVALID;
  }
  struct text text = {bytes.data == NULL ? "" : bytes.data, bytes.len};
  return manifest_parse(name, text, list, error);
}

enum manifest_status manifest_read_files(const struct file_list *files, struct manifest_list *list,
                                         struct error *error) {
  for (size_t i = 0; i < files->count; i++) {
    enum manifest_status status = read_file(files->paths[i], list, error);
    if (status != MANIFEST_READ) {
      return status;
    }
  }
  return MANIFEST_READ;
}

int manifest_read_given(const struct verb *verb, const struct flag_texts *paths, bool recursive,
                        struct file_list *files, struct manifest_list *list) {
  if (paths->count == 0) {
    fprintf(stderr, "rayfix %s: which manifest? -f FILE, -f DIR or -f - for standard input\n",
            verb->name);
    return EXIT_USAGE;
  }
  struct error error;
  enum manifest_status status = MANIFEST_READ;
  for (size_t i = 0; i < paths->count && status == MANIFEST_READ; i++) {
    if (file_list_add(files, paths->items[i], recursive, &error) != 0) {
      status = MANIFEST_UNREADABLE;
    }
  }
  if (status == MANIFEST_READ) {
    status = manifest_read_files(files, list, &error);
  }
  if (status == MANIFEST_READ) {
    return FLAGS_GO_ON;
  }
  fprintf(stderr, "rayfix %s: %s\n", verb->name, error.text);
  return status == MANIFEST_INVALID ? EXIT_USAGE : EXIT_IO;
}
