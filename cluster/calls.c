#include "cluster/calls.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cluster/call.h"
#include "cluster/calls_describe.h"
#include "cluster/fault_set.h"

void calls_describe(char what[CALLS_WHAT_MAX], const char *verb, const struct resource *resource,
                    const char *namespace_, const char *name) {
  bool has_namespace = resource->namespaced && namespace_ != NULL && namespace_[0] != '\0';
  snprintf(what, CALLS_WHAT_MAX, "%s %s%s%s%s%s", verb, resource->plural, name == NULL ? "" : "/",
           name == NULL ? "" : name, has_namespace ? " in " : "", has_namespace ? namespace_ : "");
}

// What differs between the calls on one object.
struct operation {
  const char *verb;  // for messages, as kubectl and RBAC say it
  const char *method;
  const char *content_type;
  const char *query;
  json_t *body;
  bool is_repeatable;
  bool is_write;
};

static int call(struct cluster *cluster, const struct operation *operation,
                const struct resource *resource, const char *namespace_, const char *name,
                const char *path_name, unsigned budget_ms, json_t **ret_object,
                struct fault *fault) {
  char what[CALLS_WHAT_MAX];
  char path[RESOURCE_PATH_MAX + 64];
  calls_describe(what, operation->verb, resource, namespace_, name);
  if (!resource_path(resource, namespace_, path_name, path)) {
    return fault_set(fault, FAULT_INVALID, "%s: this is no name of an object", what);
  }
  size_t len = strlen(path);
  snprintf(path + len, sizeof path - len, "%s", operation->query == NULL ? "" : operation->query);
  char *body = operation->body == NULL ? NULL : json_dumps(operation->body, JSON_COMPACT);
  if (operation->body != NULL && body == NULL) {
    return fault_set(fault, FAULT_MEMORY, "%s: out of memory", what);
  }
  struct request request = {
      .method = operation->method,
      .path = path,
      .content_type = operation->content_type,
      .body = text_of(body),
      .what = what,
      .is_repeatable = operation->is_repeatable,
      .is_write = operation->is_write,
  };
  int status = call_json(cluster, &request, budget_ms, ret_object, fault);
  if (body != NULL) {
    explicit_bzero(body, request.body.len);
    free(body);
  }
  return status;
}

// The name in an object that is about to be created, for messages.
static const char *name_in(const json_t *object) {
  return json_string_value(json_object_get(json_object_get(object, "metadata"), "name"));
}

int cluster_get(struct cluster *cluster, const struct resource *resource, const char *namespace_,
                const char *name, unsigned budget_ms, json_t **ret_object, struct fault *fault) {
  struct operation get = {.verb = "get", .method = "GET", .is_repeatable = true};
  return call(cluster, &get, resource, namespace_, name, name, budget_ms, ret_object, fault);
}

int cluster_create(struct cluster *cluster, const struct resource *resource, const char *namespace_,
                   json_t *object, unsigned budget_ms, json_t **ret_object, struct fault *fault) {
  struct operation create = {
      .verb = "create",
      .method = "POST",
      .content_type = "application/json",
      .query = "?fieldManager=" CLUSTER_FIELD_MANAGER,
      .body = object,
      .is_write = true,
  };
  return call(cluster, &create, resource, namespace_, name_in(object), NULL, budget_ms, ret_object,
              fault);
}

int cluster_ask(struct cluster *cluster, const struct resource *resource, json_t *object,
                unsigned budget_ms, json_t **ret_object, struct fault *fault) {
  struct operation ask = {
      .verb = "create",
      .method = "POST",
      .content_type = "application/json",
      .body = object,
      .is_repeatable = true,
  };
  return call(cluster, &ask, resource, NULL, NULL, NULL, budget_ms, ret_object, fault);
}

int cluster_update(struct cluster *cluster, const struct resource *resource, const char *namespace_,
                   const char *name, json_t *object, unsigned budget_ms, json_t **ret_object,
                   struct fault *fault) {
  struct operation update = {
      .verb = "update",
      .method = "PUT",
      .content_type = "application/json",
      .query = "?fieldManager=" CLUSTER_FIELD_MANAGER,
      .body = object,
      .is_repeatable = true,
      .is_write = true,
  };
  return call(cluster, &update, resource, namespace_, name, name, budget_ms, ret_object, fault);
}

int cluster_patch(struct cluster *cluster, const struct resource *resource, const char *namespace_,
                  const char *name, const struct cluster_patch *patch, unsigned budget_ms,
                  json_t **ret_object, struct fault *fault) {
  static const char *const types[] = {
      [PATCH_JSON] = "application/json-patch+json",
      [PATCH_MERGE] = "application/merge-patch+json",
      // JSON is YAML; the API server has no other name for it before 1.33.
      [PATCH_APPLY] = "application/apply-patch+yaml",
  };
  bool is_forced = patch->type == PATCH_APPLY && patch->force;
  struct operation operation = {
      .verb = patch->type == PATCH_APPLY ? "apply" : "patch",
      .method = "PATCH",
      .content_type = types[patch->type],
      .query = is_forced ? "?fieldManager=" CLUSTER_FIELD_MANAGER "&force=true"
                         : "?fieldManager=" CLUSTER_FIELD_MANAGER,
      .body = patch->body,
      .is_repeatable = patch->type != PATCH_JSON,
      .is_write = true,
  };
  return call(cluster, &operation, resource, namespace_, name, name, budget_ms, ret_object, fault);
}

int cluster_delete(struct cluster *cluster, const struct resource *resource, const char *namespace_,
                   const char *name, const char *uid, unsigned budget_ms, struct fault *fault) {
  struct operation operation = {
      .verb = "delete", .method = "DELETE", .is_repeatable = true, .is_write = true};
  if (uid != NULL) {
    operation.content_type = "application/json";
    operation.body = json_pack("{s:s, s:s, s:{s:s}}", "apiVersion", "v1", "kind", "DeleteOptions",
                               "preconditions", "uid", uid);
    if (operation.body == NULL) {
      return fault_out_of_memory(fault);
    }
  }
  int status = call(cluster, &operation, resource, namespace_, name, name, budget_ms, NULL, fault);
  json_decref(operation.body);
  return status;
}

int cluster_get_path(struct cluster *cluster, const char *path, unsigned budget_ms,
                     json_t **ret_object, struct fault *fault) {
  char what[CALLS_WHAT_MAX];
  snprintf(what, sizeof what, "get %s", path);
  struct request request = {.method = "GET", .path = path, .what = what, .is_repeatable = true};
  return call_json(cluster, &request, budget_ms, ret_object, fault);
}

int cluster_get_text(struct cluster *cluster, const char *path, unsigned budget_ms, char **ret_text,
                     size_t *ret_len, struct fault *fault) {
  char what[CALLS_WHAT_MAX];
  snprintf(what, sizeof what, "get %s", path);
  struct request request = {
      .method = "GET", .path = path, .accept = "*/*", .what = what, .is_repeatable = true};
  buffer_auto reply = {.max = CLUSTER_REPLY_MAX};
  if (call_perform(cluster, &request, budget_ms, &reply, NULL, fault) != 0) {
    return -1;
  }
  if (!buffer_append(&reply, "", 1)) {
    return fault_out_of_memory(fault);
  }
  *ret_text = reply.data;
  *ret_len = reply.len - 1;
  reply.data = NULL;
  return 0;
}
