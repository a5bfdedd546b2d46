#include "cluster/kubeconfig.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admission/buffer.h"
#include "admission/text.h"
#include "cluster/base64.h"
#include "cluster/fault_set.h"
#include "cluster/material.h"

// The longest path of a certificate or token.
#define PATH_ROOM 4096

// A named entry: `clusters`, `users` or `contexts` with their objects.
struct section {
  const char *list;    // "clusters"
  const char *member;  // "cluster"
};

static const struct section section_clusters = {"clusters", "cluster"};
static const struct section section_users = {"users", "user"};
static const struct section section_contexts = {"contexts", "context"};

struct entry {
  const struct kubeconfig_file *file;
  const struct section *section;
  const char *name;
  const json_t *object;
};

// What belongs to the settings and is freed with them.
struct owned {
  char ca_path[PATH_ROOM];
  char certificate_path[PATH_ROOM];
  char key_path[PATH_ROOM];
  char token_path[PATH_ROOM];
  struct buffer ca;
  struct buffer certificate;
  struct buffer key;
  char origin[PATH_ROOM];
};

static void wipe(struct buffer *buffer) {
  if (buffer->data != NULL) {
    explicit_bzero(buffer->data, buffer->len);
  }
  buffer_free(buffer);
}

static void owned_free(struct owned **owned) {
  if (*owned != NULL) {
    wipe(&(*owned)->ca);
    wipe(&(*owned)->certificate);
    wipe(&(*owned)->key);
    free(*owned);
  }
}

static const char *type_of(const json_t *value) {
  switch (json_typeof(value)) {
    case JSON_OBJECT:
      return "a mapping";
    case JSON_ARRAY:
      return "a list";
    case JSON_STRING:
      return "a string";
    case JSON_INTEGER:
    case JSON_REAL:
      return "a number";
    case JSON_NULL:
      return "null";
    case JSON_TRUE:
    case JSON_FALSE:
    default:
      return "a boolean";
  }
}

// `config: clusters "dev": cluster.server: …`
__attribute__((format(printf, 4, 5))) static int refuse(const struct entry *entry,
                                                        const char *field, struct fault *fault,
                                                        const char *format, ...) {
  struct error what;
  va_list args;
  va_start(args, format);
  vsnprintf(what.text, sizeof what.text, format, args);
  va_end(args);
  return fault_set(fault, FAULT_SETTINGS, "%s: %s \"%.200s\": %s.%s: %.600s", entry->file->path,
                   entry->section->list, entry->name, entry->section->member, field, what.text);
}

// The string `field`; NULL if it is absent, null or empty, as Go reads it.
static int get_string(const struct entry *entry, const char *field, const char **ret_value,
                      struct fault *fault) {
  const json_t *value = json_object_get(entry->object, field);
  *ret_value = NULL;
  if (value == NULL || json_is_null(value)) {
    return 0;
  }
  if (!json_is_string(value)) {
    return refuse(entry, field, fault, "found %s, wanted a string", type_of(value));
  }
  if (strlen(json_string_value(value)) != json_string_length(value)) {
    return refuse(entry, field, fault, "found a NUL byte in the string, wanted text");
  }
  *ret_value = json_string_length(value) == 0 ? NULL : json_string_value(value);
  return 0;
}

static int get_bool(const struct entry *entry, const char *field, bool *ret_value,
                    struct fault *fault) {
  const json_t *value = json_object_get(entry->object, field);
  *ret_value = json_is_true(value);
  if (value == NULL || json_is_null(value) || json_is_boolean(value)) {
    return 0;
  }
  return refuse(entry, field, fault, "found %s, wanted true or false", type_of(value));
}

// A file's name, relative to the folder of the kubeconfig. Stays "" if there is none.
static int get_path(const struct entry *entry, const char *field, char path[PATH_ROOM],
                    struct fault *fault) {
  const char *value = NULL;
  path[0] = '\0';
  if (get_string(entry, field, &value, fault) != 0 || value == NULL) {
    return value == NULL && fault->kind == FAULT_NONE ? 0 : -1;
  }
  const char *slash = strrchr(entry->file->path, '/');
  bool is_relative = value[0] != '/' && slash != NULL;
  int folder = is_relative ? (int)(slash - entry->file->path + 1) : 0;
  int len = snprintf(path, PATH_ROOM, "%.*s%s", folder, entry->file->path, value);
  return len < PATH_ROOM ? 0 : refuse(entry, field, fault, "the path is too long");
}

// PEM in base64. Empty without the field.
static int get_pem(const struct entry *entry, const char *field, struct buffer *pem,
                   struct fault *fault) {
  const char *value = NULL;
  *pem = (struct buffer){.max = MATERIAL_MAX};
  if (get_string(entry, field, &value, fault) != 0) {
    return -1;
  }
  if (value == NULL) {
    return 0;
  }
  bool is_base64 = base64_decode(text_of(value), pem);
  if (pem->failed) {
    return refuse(entry, field, fault, "too large, or out of memory");
  }
  struct text text = {pem->data, pem->len};
  if (!is_base64) {
    return refuse(entry, field, fault, "found no base64, wanted base64 of PEM");
  }
  if (!text_contains(text, TEXT("-----BEGIN ")) || memchr(pem->data, '\0', pem->len) != NULL) {
    return refuse(entry, field, fault, "found base64 of something else, wanted base64 of PEM");
  }
  if (text_contains(text, TEXT("ENCRYPTED"))) {
    return refuse(entry, field, fault, "found a key with a passphrase, wanted one without");
  }
  return buffer_append(pem, "", 1) ? 0 : fault_out_of_memory(fault);
}

// ---- finding entries ----

static int check_lists(const struct kubeconfig_file *file, struct fault *fault) {
  const struct section *const sections[] = {&section_clusters, &section_users, &section_contexts};
  if (!json_is_object(file->root)) {
    return fault_set(fault, FAULT_SETTINGS, "%s: found no mapping, wanted a kubeconfig",
                     file->path);
  }
  const json_t *kind = json_object_get(file->root, "kind");
  struct text text = {json_string_value(kind), json_string_length(kind)};
  if (text.len > 0 && !text_equals(text, TEXT("Config"))) {
    return fault_set(fault, FAULT_SETTINGS, "%s: kind: found \"%.*s\", wanted Config", file->path,
                     TEXT_ARG(text_cut(text, 100)));
  }
  for (size_t i = 0; i < sizeof sections / sizeof sections[0]; i++) {
    const json_t *list = json_object_get(file->root, sections[i]->list);
    if (list != NULL && !json_is_array(list) && !json_is_null(list)) {
      return fault_set(fault, FAULT_SETTINGS, "%s: %s: found %s, wanted a list", file->path,
                       sections[i]->list, type_of(list));
    }
  }
  return 0;
}

static const json_t *find_in(const json_t *list, const char *name, const char *member) {
  size_t index = 0;
  const json_t *item = NULL;
  // jansson's macro takes no const array.
  for (index = 0; index < json_array_size(list); index++) {
    item = json_array_get(list, index);
    const json_t *found = json_object_get(item, "name");
    struct text text = {json_string_value(found), json_string_length(found)};
    if (json_is_string(found) && text_equals(text, text_of(name))) {
      return json_object_get(item, member);
    }
  }
  return NULL;
}

// Appends "a, b" for messages.
static void put_names(struct buffer *out, const struct kubeconfig_file *files, size_t count,
                      const struct section *section) {
  for (size_t i = 0; i < count; i++) {
    const json_t *list = json_object_get(files[i].root, section->list);
    for (size_t k = 0; k < json_array_size(list); k++) {
      const char *name = json_string_value(json_object_get(json_array_get(list, k), "name"));
      buffer_printf(out, "%s%.60s", out->len == 0 ? "" : ", ", name == NULL ? "?" : name);
    }
  }
}

// `wanted_by` says who names it: "current-context" or `contexts "dev": context.user`.
static int find_entry(const struct kubeconfig_file *files, size_t count,
                      const struct section *section, const char *name, const char *wanted_by,
                      struct entry *ret_entry, struct fault *fault) {
  for (size_t i = 0; i < count; i++) {
    const json_t *object =
        find_in(json_object_get(files[i].root, section->list), name, section->member);
    if (object == NULL) {
      continue;
    }
    *ret_entry = (struct entry){&files[i], section, name, object};
    return json_is_object(object)
               ? 0
               : fault_set(fault, FAULT_SETTINGS,
                           "%s: %s \"%.200s\": %s: found %s, wanted a "
                           "mapping",
                           files[i].path, section->list, name, section->member, type_of(object));
  }
  buffer_auto names = {.max = 600};
  put_names(&names, files, count, section);
  struct text text = {names.data, names.len};
  return fault_set(fault, FAULT_SETTINGS, "%s: %s names \"%.200s\", which is not in %s (%.*s)",
                   files[0].path, wanted_by, name, section->list,
                   TEXT_ARG(text.len == 0 ? TEXT("empty") : text));
}

// The first file that has a current-context wins.
static int current_context(const struct kubeconfig_file *files, size_t count, const char **ret_name,
                           struct fault *fault) {
  for (size_t i = 0; i < count; i++) {
    const json_t *value = json_object_get(files[i].root, "current-context");
    if (value != NULL && !json_is_string(value) && !json_is_null(value)) {
      return fault_set(fault, FAULT_SETTINGS, "%s: current-context: found %s, wanted a string",
                       files[i].path, type_of(value));
    }
    if (json_string_length(value) > 0) {
      *ret_name = json_string_value(value);
      return 0;
    }
  }
  buffer_auto names = {.max = 600};
  put_names(&names, files, count, &section_contexts);
  struct text text = {names.data, names.len};
  return fault_set(fault, FAULT_SETTINGS,
                   "%s: current-context: found none, wanted the name of one of the contexts "
                   "(%.*s), or --context",
                   files[0].path, TEXT_ARG(text.len == 0 ? TEXT("none") : text));
}

// ---- what entries say ----

static int read_cluster(const struct entry *entry, struct cluster_settings *settings,
                        struct owned *owned, struct fault *fault) {
  const char *proxy = NULL;
  if (get_string(entry, "server", &settings->server, fault) != 0 ||
      get_string(entry, "tls-server-name", &settings->server_name, fault) != 0 ||
      get_string(entry, "proxy-url", &proxy, fault) != 0 ||
      get_bool(entry, "insecure-skip-tls-verify", &settings->insecure, fault) != 0 ||
      get_path(entry, "certificate-authority", owned->ca_path, fault) != 0 ||
      get_pem(entry, "certificate-authority-data", &owned->ca, fault) != 0) {
    return -1;
  }
  if (settings->server == NULL) {
    return refuse(entry, "server", fault, "found none, wanted https://HOST[:PORT]");
  }
  settings->proxy = proxy == NULL ? "" : proxy;  // kubectl honours the environment too
  // The data overrides the file (k8s.io/client-go/tools/clientcmd/api, Cluster).
  if (owned->ca.len > 0) {
    settings->ca_pem = owned->ca.data;
  } else if (owned->ca_path[0] != '\0') {
    settings->ca_file = owned->ca_path;
  }
  if (settings->insecure && (settings->ca_pem != NULL || settings->ca_file != NULL)) {
    return refuse(entry, "insecure-skip-tls-verify", fault,
                  "found true beside a certificate-authority, wanted one of both");
  }
  return 0;
}

struct refused {
  const char *field;
  const char *why;
};

static int refuse_unsupported(const struct entry *entry, struct fault *fault) {
  static const struct refused all[] = {
      {"exec",
       "rayfix runs no programs to log in; wanted a token, tokenFile or client "
       "certificate, e.g. of a service account: kubectl create token"},
      {"auth-provider",
       "gone since Kubernetes 1.26; wanted a token, tokenFile or client "
       "certificate"},
      {"username", "gone since Kubernetes 1.19; wanted a token, tokenFile or client certificate"},
      {"password", "gone since Kubernetes 1.19; wanted a token, tokenFile or client certificate"},
      {"as", "rayfix does not impersonate; wanted the credentials of that user"},
      {"as-uid", "rayfix does not impersonate; wanted the credentials of that user"},
      {"as-groups", "rayfix does not impersonate; wanted the credentials of that user"},
  };
  for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
    const json_t *value = json_object_get(entry->object, all[i].field);
    bool is_empty = value == NULL || json_is_null(value) ||
                    (json_is_string(value) && json_string_length(value) == 0) ||
                    (json_is_array(value) && json_array_size(value) == 0);
    if (!is_empty) {
      return refuse(entry, all[i].field, fault, "%s", all[i].why);
    }
  }
  return 0;
}

static int read_user(const struct entry *entry, struct cluster_settings *settings,
                     struct owned *owned, struct fault *fault) {
  if (refuse_unsupported(entry, fault) != 0 ||
      get_string(entry, "token", &settings->token, fault) != 0 ||
      get_path(entry, "tokenFile", owned->token_path, fault) != 0 ||
      get_path(entry, "client-certificate", owned->certificate_path, fault) != 0 ||
      get_path(entry, "client-key", owned->key_path, fault) != 0 ||
      get_pem(entry, "client-certificate-data", &owned->certificate, fault) != 0 ||
      get_pem(entry, "client-key-data", &owned->key, fault) != 0) {
    return -1;
  }
  // The file overrides the text, data overrides files (client-go, AuthInfo).
  if (owned->token_path[0] != '\0') {
    settings->token_file = owned->token_path;
    settings->token = NULL;
  }
  if (owned->certificate.len > 0) {
    settings->certificate_pem = owned->certificate.data;
  } else if (owned->certificate_path[0] != '\0') {
    settings->certificate_file = owned->certificate_path;
  }
  if (owned->key.len > 0) {
    settings->key_pem = owned->key.data;
  } else if (owned->key_path[0] != '\0') {
    settings->key_file = owned->key_path;
  }
  bool has_certificate = settings->certificate_pem != NULL || settings->certificate_file != NULL;
  bool has_key = settings->key_pem != NULL || settings->key_file != NULL;
  if (has_certificate != has_key) {
    return refuse(entry, has_key ? "client-certificate" : "client-key", fault,
                  "found none, wanted both client-certificate and client-key");
  }
  return 0;
}

// One name in a context; with its entry.
static int follow(const struct kubeconfig_file *files, size_t count, const struct entry *context,
                  const char *field, const struct section *section, struct entry *ret_entry,
                  struct fault *fault) {
  const char *name = NULL;
  if (get_string(context, field, &name, fault) != 0) {
    return -1;
  }
  if (name == NULL) {
    return refuse(context, field, fault, "found none, wanted a name in %s", section->list);
  }
  char wanted_by[400];
  snprintf(wanted_by, sizeof wanted_by, "contexts \"%.200s\": context.%s", context->name, field);
  return find_entry(files, count, section, name, wanted_by, ret_entry, fault);
}

static int read_context(const struct kubeconfig_file *files, size_t count, const char *name,
                        struct cluster_settings *settings, struct owned *owned,
                        struct fault *fault) {
  struct entry context;
  struct entry cluster;
  struct entry user;
  const char *wanted_by = "--context";
  if (name == NULL) {
    wanted_by = "current-context";
    if (current_context(files, count, &name, fault) != 0) {
      return -1;
    }
  }
  if (find_entry(files, count, &section_contexts, name, wanted_by, &context, fault) != 0 ||
      follow(files, count, &context, "cluster", &section_clusters, &cluster, fault) != 0 ||
      follow(files, count, &context, "user", &section_users, &user, fault) != 0 ||
      get_string(&context, "namespace", &settings->namespace_, fault) != 0 ||
      read_cluster(&cluster, settings, owned, fault) != 0 ||
      read_user(&user, settings, owned, fault) != 0) {
    return -1;
  }
  snprintf(owned->origin, sizeof owned->origin, "context %.200s of %s", name, context.file->path);
  settings->origin = owned->origin;
  return 0;
}

struct cluster *cluster_open_kubeconfig(const struct kubeconfig_file *files, size_t count,
                                        const char *context,
                                        const struct cluster_settings *defaults,
                                        struct fault *fault) {
  __attribute__((cleanup(owned_free))) struct owned *owned = calloc(1, sizeof *owned);
  *fault = (struct fault){.kind = FAULT_NONE};
  if (owned == NULL || count == 0) {
    count == 0 ? fault_set(fault, FAULT_SETTINGS, "no kubeconfig") : fault_out_of_memory(fault);
    return NULL;
  }
  for (size_t i = 0; i < count; i++) {
    if (check_lists(&files[i], fault) != 0) {
      return NULL;
    }
  }
  struct cluster_settings settings = {.server = NULL};
  if (defaults != NULL) {
    settings.connect_ms = defaults->connect_ms;
    settings.attempt_ms = defaults->attempt_ms;
    settings.watch_idle_ms = defaults->watch_idle_ms;
  }
  if (read_context(files, count, context, &settings, owned, fault) != 0) {
    return NULL;
  }
  struct cluster *cluster = cluster_open(&settings, fault);
  if (cluster == NULL && fault->kind == FAULT_SETTINGS) {
    fault_wrap(fault, owned->origin);
  }
  return cluster;
}
