#include "cli/connect.h"

#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/input.h"
#include "cli/manifest.h"
#include "cluster/kubeconfig.h"

// Files of one $KUBECONFIG.
#define FILES_MAX 32

struct files {
  struct kubeconfig_file items[FILES_MAX];
  json_t *roots[FILES_MAX];
  char *names;  // that the paths point into
  size_t count;
};

static void files_close(struct files *files) {
  for (size_t i = 0; i < files->count; i++) {
    json_decref(files->roots[i]);
  }
  free(files->names);
}

static void wipe(struct buffer *buffer) {
  if (buffer->data != NULL) {
    explicit_bzero(buffer->data, buffer->len);
  }
  buffer_free(buffer);
}

// The one document of a kubeconfig; kubectl takes an empty file for an empty kubeconfig.
static int to_json(const char *path, const struct manifest_list *list, json_t **ret_root,
                   struct error *error) {
  __attribute__((cleanup(wipe))) struct buffer json = {.max = MANIFEST_OUTPUT_MAX};
  if (list->count > 1) {
    return error_set(error, "%s:%zu: found a second document, wanted one kubeconfig", path,
                     list->items[1].line);
  }
  if (list->count == 0) {
    *ret_root = json_object();
    return *ret_root == NULL ? error_set(error, "%s: out of memory", path) : 0;
  }
  yyjson_mut_doc *doc = list->items[0].doc;
  yyjson_mut_val *root = manifest_to_json(doc, yyjson_mut_doc_get_root(doc));
  if (root == NULL || manifest_write_json(root, false, &json) != 0) {
    return error_set(error, "%s: out of memory", path);
  }
  *ret_root = json_loadb(json.data, json.len, JSON_ALLOW_NUL, NULL);
  return *ret_root == NULL ? error_set(error,
                                       "%s: found a NUL in a key, a number out of range or "
                                       "deep nesting, wanted a kubeconfig",
                                       path)
                           : 0;
}

static int read_file(const char *path, json_t **ret_root, struct error *error) {
  __attribute__((cleanup(wipe))) struct buffer text = {.max = CONNECT_FILE_MAX};
  struct manifest_list list = {NULL, 0, 0};
  bool too_large = false;
  if (input_read(path, &text, &too_large, error) != 0) {
    return -1;
  }
  if (too_large) {
    return error_set(error, "%s: found more than %zu bytes, wanted a kubeconfig", path,
                     CONNECT_FILE_MAX);
  }
  struct text bytes = {text.data == NULL ? "" : text.data, text.len};
  int status = manifest_parse(path, bytes, &list, error) == MANIFEST_READ
                   ? to_json(path, &list, ret_root, error)
                   : -1;
  manifest_list_free(&list);
  return status;
}

static int add(struct files *files, const char *path, struct error *error) {
  if (files->count == FILES_MAX) {
    return error_set(error, "KUBECONFIG: found more than %d files", FILES_MAX);
  }
  json_t *root = NULL;
  if (read_file(path, &root, error) != 0) {
    return -1;
  }
  files->roots[files->count] = root;
  files->items[files->count++] = (struct kubeconfig_file){path, root};
  return 0;
}

// kubectl leaves files of the list out that do not exist.
static int add_list(struct files *files, const char *list, struct error *error) {
  files->names = strdup(list);
  char *rest = files->names;
  if (rest == NULL) {
    return error_set(error, "out of memory");
  }
  for (char *path = strsep(&rest, ":"); path != NULL; path = strsep(&rest, ":")) {
    if (path[0] != '\0' && access(path, F_OK) == 0 && add(files, path, error) != 0) {
      return -1;
    }
  }
  return files->count > 0 ? 0 : error_set(error, "KUBECONFIG: found no file of \"%s\"", list);
}

// Fills `files`, or leaves it empty if there is no kubeconfig.
static int find_files(struct files *files, const char *given, struct error *error) {
  const char *list = getenv("KUBECONFIG");
  const char *home = getenv("HOME");
  if (given != NULL) {
    return add(files, given, error);
  }
  if (list != NULL && list[0] != '\0') {
    return add_list(files, list, error);
  }
  char path[PATH_MAX];
  int len = snprintf(path, sizeof path, "%s/.kube/config", home == NULL ? "" : home);
  if (home == NULL || len >= (int)sizeof path || access(path, F_OK) != 0) {
    return 0;
  }
  files->names = strdup(path);
  return files->names == NULL ? error_set(error, "out of memory") : add(files, files->names, error);
}

int connect_open(const struct verb *verb, const struct connect_flags *given,
                 struct cluster **ret_cluster) {
  __attribute__((cleanup(files_close))) struct files files = {.count = 0};
  struct error error;
  struct fault fault;
  if (find_files(&files, given->kubeconfig, &error) != 0) {
    fprintf(stderr, "rayfix %s: %s\n", verb->name, error.text);
    return EXIT_USAGE;
  }
  if (files.count > 0) {
    *ret_cluster = cluster_open_kubeconfig(files.items, files.count, given->context, NULL, &fault);
  } else if (cluster_is_in_pod(NULL)) {
    *ret_cluster = cluster_open_in_pod(NULL, NULL, &fault);
  } else {
    fprintf(stderr,
            "rayfix %s: no kubeconfig: --kubeconfig is not given, KUBECONFIG is not set, there is "
            "no ~/.kube/config, and this is no pod\n",
            verb->name);
    return EXIT_USAGE;
  }
  if (*ret_cluster == NULL) {
    fprintf(stderr, "rayfix %s: %s\n", verb->name, fault.error.text);
    return fault.kind == FAULT_MEMORY ? EXIT_IO : EXIT_USAGE;
  }
  return FLAGS_GO_ON;
}
