#include "tests/rules/json_patch.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define TOKEN_MAX 512

// ---- pointers ----

// Reads the token behind the '/' at *position into `token`, and moves *position behind it.
// RFC 6901 §3: "~" is followed by 0 or 1.
static bool read_token(const char **position, char token[TOKEN_MAX]) {
  const char *from = *position + 1;
  size_t len = 0;
  for (; *from != '\0' && *from != '/'; from++) {
    char c = *from;
    if (c == '~') {
      from++;
      if (*from != '0' && *from != '1') {
        return false;
      }
      c = *from == '0' ? '~' : '/';
    }
    if (len == TOKEN_MAX - 1) {
      return false;
    }
    token[len++] = c;
  }
  token[len] = '\0';
  *position = from;
  return true;
}

// RFC 6901 §4: digits without a leading zero.
static bool read_index(const char *token, size_t limit, size_t *ret_index) {
  size_t index = 0;
  if (*token == '\0' || (token[0] == '0' && token[1] != '\0')) {
    return false;
  }
  for (; *token != '\0'; token++) {
    if (!isdigit((unsigned char)*token) || index > 1000000) {
      return false;
    }
    index = index * 10 + (size_t)(*token - '0');
  }
  *ret_index = index;
  return index < limit;
}

static json_t *child(json_t *parent, const char *token) {
  size_t index = 0;
  if (json_is_array(parent)) {
    return read_index(token, json_array_size(parent), &index) ? json_array_get(parent, index)
                                                              : NULL;
  }
  return json_object_get(parent, token);
}

// The parent of what `pointer` names, and the last token.
static json_t *find_parent(json_t *document, const char *pointer, char token[TOKEN_MAX]) {
  json_t *parent = document;
  const char *position = pointer;
  if (*position != '/' || !read_token(&position, token)) {
    return NULL;
  }
  while (*position == '/') {
    parent = child(parent, token);
    if (parent == NULL || !read_token(&position, token)) {
      return NULL;
    }
  }
  return json_is_object(parent) || json_is_array(parent) ? parent : NULL;
}

json_t *json_pointer_get(json_t *document, const char *pointer) {
  char token[TOKEN_MAX];
  if (*pointer == '\0') {
    return document;
  }
  json_t *parent = find_parent(document, pointer, token);
  return parent == NULL ? NULL : child(parent, token);
}

// ---- operations ----

struct target {
  json_t *parent;
  char token[TOKEN_MAX];
};

static int add(struct target *target, json_t *value) {
  size_t index = 0;
  if (json_is_object(target->parent)) {
    return json_object_set(target->parent, target->token, value);
  }
  size_t size = json_array_size(target->parent);
  if (strcmp(target->token, "-") == 0) {
    return json_array_append(target->parent, value);
  }
  if (!read_index(target->token, size + 1, &index)) {
    return -1;
  }
  return json_array_insert(target->parent, index, value);
}

static int replace(struct target *target, json_t *value) {
  size_t index = 0;
  if (json_is_object(target->parent)) {
    return json_object_get(target->parent, target->token) == NULL
               ? -1
               : json_object_set(target->parent, target->token, value);
  }
  return read_index(target->token, json_array_size(target->parent), &index)
             ? json_array_set(target->parent, index, value)
             : -1;
}

static int remove_value(struct target *target) {
  size_t index = 0;
  if (json_is_object(target->parent)) {
    return json_object_del(target->parent, target->token);
  }
  return read_index(target->token, json_array_size(target->parent), &index)
             ? json_array_remove(target->parent, index)
             : -1;
}

static int test(struct target *target, json_t *value) {
  return json_equal(child(target->parent, target->token), value) ? 0 : -1;
}

static int apply_one(json_t *document, json_t *operation, struct error *error) {
  const char *name = json_string_value(json_object_get(operation, "op"));
  const char *path = json_string_value(json_object_get(operation, "path"));
  json_t *value = json_object_get(operation, "value");
  if (name == NULL || path == NULL) {
    return error_set(error, "an operation without op or path");
  }
  struct target target;
  target.parent = find_parent(document, path, target.token);
  if (target.parent == NULL) {
    return error_set(error, "%s %s: no such parent", name, path);
  }
  // The same value must not stand in two places, since a later operation may change one of them.
  json_t *copy = json_deep_copy(value);
  int failed = -1;
  if (strcmp(name, "remove") == 0) {
    failed = value != NULL ? -1 : remove_value(&target);
  } else if (copy == NULL) {
    failed = -1;
  } else if (strcmp(name, "add") == 0) {
    failed = add(&target, copy);
  } else if (strcmp(name, "replace") == 0) {
    failed = replace(&target, copy);
  } else if (strcmp(name, "test") == 0) {
    failed = test(&target, copy);
  }
  json_decref(copy);
  return failed ? error_set(error, "%s %s does not apply", name, path) : 0;
}

json_t *json_patch_apply(const json_t *document, const json_t *operations, struct error *error) {
  if (!json_is_array(operations)) {
    error_set(error, "the patch is no list");
    return NULL;
  }
  json_t *result = json_deep_copy(document);
  size_t index;
  json_t *operation;
  json_array_foreach(operations, index, operation) {
    if (apply_one(result, operation, error) != 0) {
      error_wrap(error, "operation %zu", index);
      json_decref(result);
      return NULL;
    }
  }
  return result;
}
