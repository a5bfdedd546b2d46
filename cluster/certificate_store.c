#include "cluster/certificate_store.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cluster/base64.h"
#include "cluster/calls.h"
#include "cluster/fault_set.h"

#define MANAGED_BY "app.kubernetes.io/managed-by"
#define CLUSTER_UID "rayfix.io/cluster-uid"
#define RETIRE_AFTER "rayfix.io/retire-after"
#define VALUE_MAX ((size_t)1 << 20)  // MaxSecretSize in k8s.io/api/core/v1

static void free_wiped(void *memory) {
  if (memory != NULL) {
    explicit_bzero(memory, malloc_usable_size(memory));
    free(memory);
  }
}

void store_wipe_json(void) {
  json_set_alloc_funcs(malloc, free_wiped);
}

static const char *string_at(const json_t *object, const char *parent, const char *key) {
  return json_string_value(json_object_get(json_object_get(object, parent), key));
}

static const char *annotation(const json_t *object, const char *key) {
  const char *value = string_at(json_object_get(object, "metadata"), "annotations", key);
  return value == NULL ? "" : value;
}

// "2026-01-31T12:00:00Z"; 0 if it is none.
static time_t parse_time(const char *text) {
  struct tm parts = {0};
  const char *end = strptime(text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return end != NULL && *end == '\0' ? timegm(&parts) : 0;
}

static void format_time(time_t time, char text[32]) {
  struct tm parts;
  text[0] = '\0';
  if (gmtime_r(&time, &parts) != NULL) {
    strftime(text, 32, "%Y-%m-%dT%H:%M:%SZ", &parts);
  }
}

// Decodes a value. False if it is no base64; *ret_memory_short when there was no room for it.
static bool decode(const json_t *encoded, char **ret_data, size_t *ret_len,
                   bool *ret_memory_short) {
  *ret_data = NULL;
  *ret_len = 0;
  if (!json_is_string(encoded) || json_string_length(encoded) == 0) {
    return encoded == NULL || json_is_null(encoded) || json_is_string(encoded);
  }
  struct buffer out = {.max = VALUE_MAX};
  struct text text = {json_string_value(encoded), json_string_length(encoded)};
  bool good = base64_decode(text, &out);
  size_t len = out.len;
  if (!good || !buffer_append(&out, "", 1)) {
    *ret_memory_short = *ret_memory_short || out.failed;
    if (out.data != NULL) {
      explicit_bzero(out.data, out.len);
    }
    buffer_free(&out);
    return false;
  }
  *ret_data = out.data;
  *ret_len = len;
  return true;
}

// ---- the Secret ----

void store_secret_free(struct store_secret *secret) {
  for (size_t i = 0; i < STORE_VALUES_MAX; i++) {
    struct store_value *value = &secret->values[i];
    if (value->data != NULL) {
      explicit_bzero(value->data, value->len);
      free(value->data);
    }
  }
  json_decref(secret->object);
  *secret = (struct store_secret){.found = false};
}

int store_secret_read(struct cluster *cluster, const struct store_place *place, unsigned budget_ms,
                      struct store_secret *ret, struct fault *fault) {
  *ret = (struct store_secret){.found = false};
  if (cluster_get(cluster, &resource_secrets, place->namespace_, place->name, budget_ms,
                  &ret->object, fault) != 0) {
    return fault->kind == FAULT_NOT_FOUND ? 0 : -1;
  }
  const char *label = string_at(json_object_get(ret->object, "metadata"), "labels", MANAGED_BY);
  ret->found = true;
  ret->ours = label != NULL && strcmp(label, "rayfix") == 0;
  snprintf(ret->cluster_uid, sizeof ret->cluster_uid, "%s", annotation(ret->object, CLUSTER_UID));
  ret->retire_after = parse_time(annotation(ret->object, RETIRE_AFTER));
  const json_t *data = json_object_get(ret->object, "data");
  bool memory_short = false;
  for (size_t i = 0; i < place->key_count; i++) {
    bool good = decode(json_object_get(data, place->keys[i]), &ret->values[i].data,
                       &ret->values[i].len, &memory_short);
    ret->undecoded = ret->undecoded || !good;
  }
  if (memory_short) {
    store_secret_free(ret);
    return fault_out_of_memory(fault);
  }
  return 0;
}

static json_t *encode(struct text value) {
  struct buffer out = {.max = 2 * VALUE_MAX};
  json_t *string =
      base64_encode(value, &out) ? json_stringn(out.len == 0 ? "" : out.data, out.len) : NULL;
  if (out.data != NULL) {
    explicit_bzero(out.data, out.len);
  }
  buffer_free(&out);
  return string;
}

// The member `key`, made if it is missing; NULL when memory is short.
static json_t *member(json_t *object, const char *key) {
  json_t *found = json_object_get(object, key);
  if (json_is_object(found)) {
    return found;
  }
  return json_object_set_new(object, key, json_object()) == 0 ? json_object_get(object, key) : NULL;
}

static bool set_string(json_t *object, const char *key, const char *value) {
  return object != NULL && json_object_set_new(object, key, json_string(value)) == 0;
}

static bool fill_metadata(json_t *object, const char *uid, time_t retire_after) {
  json_t *metadata = member(object, "metadata");
  json_t *labels = metadata == NULL ? NULL : member(metadata, "labels");
  json_t *annotations = metadata == NULL ? NULL : member(metadata, "annotations");
  if (labels == NULL || annotations == NULL) {
    return false;
  }
  json_object_del(metadata, "managedFields");  // the API server makes them anew
  char retire[32];
  format_time(retire_after, retire);
  bool set = true;
  if (retire_after == 0) {
    json_object_del(annotations, RETIRE_AFTER);
  } else {
    set = set_string(annotations, RETIRE_AFTER, retire);
  }
  return set && set_string(labels, "app.kubernetes.io/name", "rayfix") &&
         set_string(labels, "app.kubernetes.io/part-of", "rayfix") &&
         set_string(labels, MANAGED_BY, "rayfix") && set_string(annotations, CLUSTER_UID, uid);
}

static json_t *new_secret(const struct store_place *place) {
  return json_pack("{s:s, s:s, s:s, s:{s:s, s:s}}", "apiVersion", "v1", "kind", "Secret", "type",
                   "kubernetes.io/tls", "metadata", "name", place->name, "namespace",
                   place->namespace_);
}

static bool fill_data(json_t *object, const struct store_place *place, const struct text *values) {
  json_t *data = member(object, "data");
  for (size_t i = 0; data != NULL && i < place->key_count; i++) {
    // The type kubernetes.io/tls wants tls.crt and tls.key to be there, be they empty.
    bool is_wanted = strncmp(place->keys[i], "tls.", strlen("tls.")) == 0;
    if (values[i].len == 0 && !is_wanted) {
      json_object_del(data, place->keys[i]);
    } else if (json_object_set_new(data, place->keys[i], encode(values[i])) != 0) {
      return false;
    }
  }
  return data != NULL;
}

int store_secret_write(struct cluster *cluster, const struct store_place *place,
                       const struct store_secret *read, const struct text *values,
                       time_t retire_after, unsigned budget_ms, struct fault *fault) {
  json_t *object = read->found ? json_deep_copy(read->object) : new_secret(place);
  int result;
  if (object == NULL || !fill_metadata(object, cluster_identity(cluster), retire_after) ||
      !fill_data(object, place, values)) {
    result = fault_out_of_memory(fault);
  } else if (read->found) {
    result = cluster_update(cluster, &resource_secrets, place->namespace_, place->name, object,
                            budget_ms, NULL, fault);
  } else {
    result = cluster_create(cluster, &resource_secrets, place->namespace_, object, budget_ms, NULL,
                            fault);
  }
  json_decref(object);
  return result;
}

// ---- webhook configurations ----

void store_webhooks_free(struct store_webhooks *webhooks) {
  for (size_t i = 0; i < webhooks->count; i++) {
    free(webhooks->bundles[i].pem);
  }
  *webhooks = (struct store_webhooks){.found = false};
}

static int read_bundles(const json_t *object, struct store_webhooks *ret, struct fault *fault) {
  size_t i;
  json_t *webhook;
  bool memory_short = false;
  json_array_foreach(json_object_get(object, "webhooks"), i, webhook) {
    const char *name = json_string_value(json_object_get(webhook, "name"));
    if (name == NULL || strlen(name) >= sizeof ret->bundles[0].name ||
        ret->count == STORE_BUNDLES_MAX) {
      continue;
    }
    size_t at = ret->count++;
    snprintf(ret->bundles[at].name, sizeof ret->bundles[at].name, "%s", name);
    const json_t *bundle = json_object_get(json_object_get(webhook, "clientConfig"), "caBundle");
    ret->bundles[at].undecoded =
        !decode(bundle, &ret->bundles[at].pem, &ret->bundles[at].len, &memory_short);
  }
  return memory_short ? fault_out_of_memory(fault) : 0;
}

int store_webhooks_read(struct cluster *cluster, const struct resource *resource, const char *name,
                        unsigned budget_ms, struct store_webhooks *ret, struct fault *fault) {
  *ret = (struct store_webhooks){.found = false};
  json_t *object = NULL;
  if (cluster_get(cluster, resource, NULL, name, budget_ms, &object, fault) != 0) {
    return fault->kind == FAULT_NOT_FOUND ? 0 : -1;
  }
  ret->found = true;
  const char *version = string_at(object, "metadata", "resourceVersion");
  snprintf(ret->version, sizeof ret->version, "%s", version == NULL ? "" : version);
  int result = read_bundles(object, ret, fault);
  json_decref(object);
  if (result != 0) {
    store_webhooks_free(ret);
  }
  return result;
}

static json_t *applied_webhooks(const struct store_webhooks *read, const struct text *pems) {
  json_t *list = json_array();
  for (size_t i = 0; list != NULL && i < read->count; i++) {
    // Also what stays as it is: an apply removes what the one before it wrote and it leaves out.
    const struct text stored = {read->bundles[i].pem, read->bundles[i].len};
    const struct text pem = pems[i].len > 0 ? pems[i] : stored;
    if (pem.len == 0) {
      continue;
    }
    json_t *webhook = json_pack("{s:s, s:{s:o}}", "name", read->bundles[i].name, "clientConfig",
                                "caBundle", encode(pem));
    if (webhook == NULL || json_array_append_new(list, webhook) != 0) {
      json_decref(list);
      return NULL;
    }
  }
  return list;
}

int store_webhooks_write(struct cluster *cluster, const struct resource *resource, const char *name,
                         const struct store_webhooks *read, const struct text *pems,
                         unsigned budget_ms, struct fault *fault) {
  char api_version[128];
  snprintf(api_version, sizeof api_version, "%s/%s", resource->group, resource->version);
  json_t *webhooks = applied_webhooks(read, pems);
  json_t *body = webhooks == NULL
                     ? NULL
                     : json_pack("{s:s, s:s, s:{s:s, s:s}, s:o}", "apiVersion", api_version, "kind",
                                 resource->kind, "metadata", "name", name, "resourceVersion",
                                 read->version, "webhooks", webhooks);
  if (body == NULL) {
    return fault_out_of_memory(fault);
  }
  // Forced: whoever wrote the field before (an older manifest, a person) is not its owner any more.
  const struct cluster_patch patch = {.type = PATCH_APPLY, .body = body, .force = true};
  int result = cluster_patch(cluster, resource, NULL, name, &patch, budget_ms, NULL, fault);
  json_decref(body);
  return result;
}

// ---- Events ----

int store_event_write(struct cluster *cluster, const struct store_event *event, unsigned budget_ms,
                      struct fault *fault) {
  char now[32];
  char host[256] = "";
  format_time(time(NULL), now);
  gethostname(host, sizeof host - 1);
  json_t *object = json_pack(
      "{s:s, s:s, s:{s:s, s:s}, s:{s:s, s:s, s:s, s:s}, s:s, s:s, s:s, s:{s:s, s:s}, s:s, s:s, "
      "s:i, s:s, s:s, s:s}",
      "apiVersion", "v1", "kind", "Event", "metadata", "generateName", "rayfix-", "namespace",
      event->namespace_, "involvedObject", "apiVersion", "v1", "kind", "Secret", "namespace",
      event->namespace_, "name", event->secret, "reason", event->reason, "message", event->message,
      "type", event->warning ? "Warning" : "Normal", "source", "component", "rayfix", "host", host,
      "firstTimestamp", now, "lastTimestamp", now, "count", 1, "action", event->reason,
      "reportingComponent", "rayfix", "reportingInstance", host);
  if (object == NULL) {
    return fault_out_of_memory(fault);
  }
  int result =
      cluster_create(cluster, &resource_events, event->namespace_, object, budget_ms, NULL, fault);
  json_decref(object);
  return result;
}
