#include "tests/rules/changes.h"

#include <check.h>
#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define POINTER_MAX 1024

// True if `pointer` is `prefix` or below it.
static bool is_below(const char *pointer, const char *prefix, size_t prefix_len) {
  return strncmp(pointer, prefix, prefix_len) == 0 &&
         (pointer[prefix_len] == '\0' || pointer[prefix_len] == '/');
}

static bool is_allowed(const char *pointer, json_t *patch) {
  size_t index;
  json_t *operation;
  json_array_foreach(patch, index, operation) {
    const char *path = json_string_value(json_object_get(operation, "path"));
    const char *name = json_string_value(json_object_get(operation, "op"));
    const char *last = strrchr(path, '/') + 1;
    bool moves_elements =
        strcmp(name, "replace") != 0 && (strcmp(last, "-") == 0 || isdigit((unsigned char)*last));
    size_t len = moves_elements ? (size_t)(last - 1 - path) : strlen(path);
    if (is_below(pointer, path, len)) {
      return true;
    }
  }
  return false;
}

// A key as a token of a pointer (RFC 6901 §3).
static void extend(char extended[POINTER_MAX], const char *pointer, const char *key) {
  size_t len = (size_t)snprintf(extended, POINTER_MAX, "%s/", pointer);
  for (; *key != '\0' && len < POINTER_MAX - 3; key++) {
    if (*key == '~' || *key == '/') {
      extended[len++] = '~';
      extended[len++] = *key == '~' ? '0' : '1';
    } else {
      extended[len++] = *key;
    }
  }
  extended[len] = '\0';
}

static void compare(json_t *before, json_t *after, const char *pointer, json_t *patch) {
  char extended[POINTER_MAX];
  if (json_equal(before, after) || is_allowed(pointer, patch)) {
    return;
  }
  if (json_is_object(before) && json_is_object(after)) {
    const char *key;
    json_t *value;
    json_object_foreach(before, key, value) {
      extend(extended, pointer, key);
      compare(value, json_object_get(after, key), extended, patch);
    }
    json_object_foreach(after, key, value) {
      extend(extended, pointer, key);
      compare(json_object_get(before, key), value, extended, patch);
    }
    return;
  }
  if (json_is_array(before) && json_is_array(after)) {
    size_t size = json_array_size(before) > json_array_size(after) ? json_array_size(before)
                                                                   : json_array_size(after);
    for (size_t i = 0; i < size; i++) {
      snprintf(extended, sizeof extended, "%s/%zu", pointer, i);
      compare(json_array_get(before, i), json_array_get(after, i), extended, patch);
    }
    return;
  }
  ck_abort_msg("%s changed, but no operation names it", pointer);
}

void changes_check(json_t *before, json_t *after, json_t *patch) {
  compare(before, after, "", patch);
}
