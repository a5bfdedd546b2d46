#include <stdlib.h>

#include "cli/manifest.h"

struct member {
  yyjson_mut_val *key;
  yyjson_mut_val *value;
  size_t index;
  bool dropped;
};

static int compare_members(const void *left, const void *right) {
  const struct member *a = left;
  const struct member *b = right;
  size_t a_len = yyjson_mut_get_len(a->key);
  size_t b_len = yyjson_mut_get_len(b->key);
  if (a_len != b_len) {
    return a_len < b_len ? -1 : 1;
  }
  int order = memcmp(yyjson_mut_get_str(a->key), yyjson_mut_get_str(b->key), a_len);
  if (order != 0) {
    return order;
  }
  return a->index < b->index ? -1 : 1;
}

static int compare_index(const void *left, const void *right) {
  const struct member *a = left;
  const struct member *b = right;
  return a->index < b->index ? -1 : 1;
}

static bool same_key(const struct member *a, const struct member *b) {
  return yyjson_mut_equals(a->key, b->key);
}

// Marks duplicates in the sorted members; the first of a key gets the value of the last.
static bool mark_duplicates(struct member *members, size_t count) {
  bool found = false;
  size_t first = 0;
  for (size_t i = 1; i < count; i++) {
    if (!same_key(&members[first], &members[i])) {
      first = i;
      continue;
    }
    members[first].value = members[i].value;
    members[i].dropped = true;
    found = true;
  }
  return found;
}

int manifest_drop_duplicates(yyjson_mut_val *object) {
  size_t count = yyjson_mut_obj_size(object);
  if (count < 2) {
    return 0;
  }
  struct member *members = calloc(count, sizeof *members);
  if (members == NULL) {
    return -1;
  }
  yyjson_mut_obj_iter iter = yyjson_mut_obj_iter_with(object);
  for (size_t i = 0; i < count; i++) {
    members[i].key = yyjson_mut_obj_iter_next(&iter);
    members[i].value = yyjson_mut_obj_iter_get_val(members[i].key);
    members[i].index = i;
  }
  qsort(members, count, sizeof *members, compare_members);
  if (mark_duplicates(members, count)) {
    qsort(members, count, sizeof *members, compare_index);
    yyjson_mut_obj_clear(object);
    for (size_t i = 0; i < count; i++) {
      if (!members[i].dropped) {
        yyjson_mut_obj_add(object, members[i].key, members[i].value);
      }
    }
  }
  free(members);
  return 0;
}
