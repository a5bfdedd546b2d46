#include "cli/object.h"

#include <string.h>

#include "admission/text.h"

json_t *object_at(const json_t *object, const char *path) {
  json_t *value = NULL;
  while (object != NULL && *path != '\0') {
    size_t len = strcspn(path, ".");
    char key[64];
    if (len >= sizeof key) {
      return NULL;
    }
    memcpy(key, path, len);
    key[len] = '\0';
    value = json_object_get(object, key);
    object = value;
    path += len + (path[len] == '.' ? 1 : 0);
  }
  return value;
}

const char *object_string(const json_t *object, const char *path) {
  const char *string = json_string_value(object_at(object, path));
  return string == NULL ? "" : string;
}

json_int_t object_integer(const json_t *object, const char *path, json_int_t fallback) {
  const json_t *value = object_at(object, path);
  return json_is_integer(value) ? json_integer_value(value) : fallback;
}

const char *object_name(const json_t *object) {
  return object_string(object, "metadata.name");
}

const char *object_namespace(const json_t *object) {
  return object_string(object, "metadata.namespace");
}

json_t *object_find(const json_t *items, const char *namespace_, const char *name) {
  for (size_t i = 0; i < json_array_size(items); i++) {
    json_t *item = json_array_get(items, i);
    if (strcmp(object_name(item), name) == 0 &&
        (namespace_ == NULL || strcmp(object_namespace(item), namespace_) == 0)) {
      return item;
    }
  }
  return NULL;
}

json_t *object_condition(const json_t *object, const char *type) {
  const json_t *conditions = object_at(object, "status.conditions");
  for (size_t i = 0; i < json_array_size(conditions); i++) {
    json_t *condition = json_array_get(conditions, i);
    if (strcmp(object_string(condition, "type"), type) == 0) {
      return condition;
    }
  }
  return NULL;
}

static bool is_among(const json_t *values, const json_t *value) {
  for (size_t i = 0; i < json_array_size(values); i++) {
    if (json_equal(json_array_get(values, i), value)) {
      return true;
    }
  }
  return false;
}

// metav1.LabelSelectorRequirement. An operator that is not known selects nothing.
static bool expression_matches(const json_t *expression, const json_t *labels) {
  const json_t *value = json_object_get(labels, object_string(expression, "key"));
  struct text operator_ = text_of(object_string(expression, "operator"));
  const json_t *values = json_object_get(expression, "values");
  if (text_equals(operator_, TEXT("Exists"))) {
    return value != NULL;
  }
  if (text_equals(operator_, TEXT("DoesNotExist"))) {
    return value == NULL;
  }
  if (text_equals(operator_, TEXT("In"))) {
    return value != NULL && is_among(values, value);
  }
  // A label that is absent is not among the values (apimachinery, labels.Requirement.Matches).
  return text_equals(operator_, TEXT("NotIn")) && (value == NULL || !is_among(values, value));
}

bool selector_matches(const json_t *selector, const json_t *labels) {
  const char *key = NULL;
  json_t *wanted = NULL;
  json_object_foreach(json_object_get(selector, "matchLabels"), key, wanted) {
    const json_t *value = json_object_get(labels, key);
    if (value == NULL || !json_equal(value, wanted)) {
      return false;
    }
  }
  const json_t *expressions = json_object_get(selector, "matchExpressions");
  for (size_t i = 0; i < json_array_size(expressions); i++) {
    if (!expression_matches(json_array_get(expressions, i), labels)) {
      return false;
    }
  }
  return true;
}
