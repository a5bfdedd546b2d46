#include "cli/creation.h"

#include <stdlib.h>

// semantics §5: what the webhook configurations register, and Node for `repair-lifecycle`.
static const struct creation_kind kinds[] = {
    {"", "Pod", "pods", true, {"v1"}},
    {"", "Node", "nodes", false, {"v1"}},
    {"policy", "PodDisruptionBudget", "poddisruptionbudgets", true, {"v1", "v1beta1"}},
    {"ray.io", "RayCluster", "rayclusters", true, {"v1", "v1alpha1"}},
    {"ray.io", "RayJob", "rayjobs", true, {"v1", "v1alpha1"}},
    {"ray.io", "RayService", "rayservices", true, {"v1", "v1alpha1"}},
    {"ray.io", "RayCronJob", "raycronjobs", true, {"v1"}},
};

// The version, if `api_version` is of this group and understood; NULL otherwise.
static const char *version_in(const struct creation_kind *kind, struct text api_version) {
  struct text group = text_of(kind->group);
  if (group.len > 0) {
    if (!text_starts_with(api_version, group) || api_version.len <= group.len ||
        api_version.data[group.len] != '/') {
      return NULL;
    }
    api_version = text_slice(api_version, group.len + 1, api_version.len);
  }
  for (size_t i = 0; i < 3 && kind->versions[i] != NULL; i++) {
    if (text_equals(api_version, text_of(kind->versions[i]))) {
      return kind->versions[i];
    }
  }
  return NULL;
}

const struct creation_kind *creation_kind_of(yyjson_mut_val *object) {
  struct text name = manifest_text(object, "kind");
  struct text api_version = manifest_text(object, "apiVersion");
  for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
    if (text_equals(name, text_of(kinds[i].kind)) && version_in(&kinds[i], api_version) != NULL) {
      return &kinds[i];
    }
  }
  return NULL;
}

struct text creation_namespace(const struct creation_kind *kind, yyjson_mut_val *object,
                               const char *fallback) {
  if (!kind->namespaced) {
    return (struct text){"", 0};
  }
  struct text own = manifest_text(yyjson_mut_obj_get(object, "metadata"), "namespace");
  return own.len > 0 ? own : text_of(fallback);
}

struct text creation_name(yyjson_mut_val *object) {
  yyjson_mut_val *metadata = yyjson_mut_obj_get(object, "metadata");
  struct text name = manifest_text(metadata, "name");
  return name.len > 0 ? name : manifest_text(metadata, "generateName");
}

// With matchPolicy Equivalent the API server converts to the registered version first; of the
// kinds above no field differs between their versions.
static int set_version(const struct creation_kind *kind, yyjson_mut_doc *doc,
                       yyjson_mut_val *json) {
  if (version_in(kind, manifest_text(json, "apiVersion")) == kind->versions[0]) {
    return 0;
  }
  buffer_auto version = {.max = 128};
  buffer_printf(&version, "%s/%s", kind->group, kind->versions[0]);
  yyjson_mut_val *value =
      version.failed ? NULL : yyjson_mut_strncpy(doc, version.data, version.len);
  return yyjson_mut_obj_put(json, yyjson_mut_str(doc, "apiVersion"), value) ? 0 : -1;
}

static int write_object(const struct creation_kind *kind, yyjson_mut_val *object,
                        struct buffer *out) {
  yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
  yyjson_mut_val *json = doc == NULL ? NULL : manifest_to_json(doc, object);
  int status = json == NULL || set_version(kind, doc, json) != 0
                   ? -1
                   : manifest_write_json(json, false, out);
  yyjson_mut_doc_free(doc);
  return status;
}

static void write_kind(const struct creation_kind *kind, const char *version, const char *name,
                       struct buffer *out) {
  buffer_printf(out, "\"%s\":{\"group\":\"%s\",\"version\":\"%s\",\"kind\":\"%s\"},", name,
                kind->group, version, kind->kind);
}

static void write_resource(const struct creation_kind *kind, const char *version, const char *name,
                           struct buffer *out) {
  buffer_printf(out, "\"%s\":{\"group\":\"%s\",\"version\":\"%s\",\"resource\":\"%s\"},", name,
                kind->group, version, kind->plural);
}

// The uid is fixed, so that the same manifest always gives the same review.
int creation_write(const struct creation_kind *kind, yyjson_mut_val *object,
                   struct text namespace_name, struct buffer *out) {
  const char *sent = version_in(kind, manifest_text(object, "apiVersion"));
  sent = sent == NULL ? kind->versions[0] : sent;
  buffer_printf(out,
                "{\"kind\":\"AdmissionReview\",\"apiVersion\":\"admission.k8s.io/v1\",\"request\":"
                "{\"uid\":\"00000000-0000-4000-8000-000000000000\",");
  write_kind(kind, kind->versions[0], "kind", out);
  write_resource(kind, kind->versions[0], "resource", out);
  write_kind(kind, sent, "requestKind", out);
  write_resource(kind, sent, "requestResource", out);
  buffer_printf(out, "\"name\":");
  buffer_append_json_string(out, manifest_text(yyjson_mut_obj_get(object, "metadata"), "name"));
  buffer_printf(out, ",\"namespace\":");
  buffer_append_json_string(out, namespace_name);
  buffer_printf(out, ",\"operation\":\"CREATE\",\"userInfo\":{},\"object\":");
  if (write_object(kind, object, out) != 0) {
    return -1;
  }
  buffer_printf(out, ",\"oldObject\":null,\"dryRun\":false,\"options\":null}}");
  return out->failed ? -1 : 0;
}
