#include <stdlib.h>

#include "admission/json.h"

// Every object of every request is looked through, so the usual ways are cheap: small objects
// compare their keys in pairs, larger ones put them into a table of hashes. Who chooses keys that
// all hash alike is answered by sorting.

// Objects up to this many keys are compared in pairs, most of which differ in length.
#define PAIRWISE_MAX 8

// So many slots are tried for a key; in a table that is at most half full, hardly any need ten.
#define PROBES_MAX 64

struct slot {
  uint64_t hash;
  yyjson_val *key;  // NULL: free
};

// Used for one object after the other; grows to what the largest needs.
struct key_table {
  const yyjson_alc *alc;
  struct slot *slots;
  size_t capacity;
};

// What came of looking through one object.
enum search { SEARCH_SHORT_OF_MEMORY = -1, SEARCH_NONE, SEARCH_FOUND, SEARCH_UNDECIDED };

// "unsafe" asks for no check of what is known here: a key is a string.
static struct text key_text(yyjson_val *key) {
  return (struct text){unsafe_yyjson_get_str(key), unsafe_yyjson_get_len(key)};
}

static bool same_key(yyjson_val *a, yyjson_val *b) {
  return text_equals(key_text(a), key_text(b));
}

static enum search search_pairs(yyjson_val *object, yyjson_val **ret_key) {
  yyjson_val *keys[PAIRWISE_MAX];
  yyjson_obj_iter iter = yyjson_obj_iter_with(object);
  for (size_t i = 0; (*ret_key = yyjson_obj_iter_next(&iter)) != NULL; i++) {
    keys[i] = *ret_key;
    for (size_t j = 0; j < i; j++) {
      if (same_key(keys[i], keys[j])) {
        return SEARCH_FOUND;
      }
    }
  }
  return SEARCH_NONE;
}

static uint64_t load(const char *bytes, size_t len) {
  uint64_t word = 0;
  memcpy(&word, bytes, len);
  return word;
}

static uint64_t mix(uint64_t hash, uint64_t word) {
  hash = (hash ^ word) * 0x9E3779B97F4A7C15U;  // 2^64 by the golden ratio (Knuth, TAOCP 3, 6.4)
  return hash ^ (hash >> 32);
}

// Eight bytes at a time; the last eight may overlap those before.
static uint64_t hash_key(struct text key) {
  uint64_t hash = mix(0, key.len);
  if (key.len < 8) {
    for (size_t i = 0; i < key.len; i++) {
      hash = hash << 8 ^ (hash >> 56) ^ (unsigned char)key.data[i];
    }
    return mix(hash, 0);
  }
  for (size_t i = 0; i + 8 < key.len; i += 8) {
    hash = mix(hash, load(key.data + i, 8));
  }
  return mix(hash, load(key.data + key.len - 8, 8));
}

// Makes the table empty, with twice as many slots as keys or more. Returns their number less one,
// a mask since it is a power of two; 0 when memory is short.
static size_t table_clear(struct key_table *table, size_t keys) {
  size_t size = (size_t)2 * PAIRWISE_MAX;
  while (size < keys * 2) {
    size *= 2;
  }
  if (size > table->capacity) {
    table->slots = table->alc->malloc(table->alc->ctx, size * sizeof *table->slots);
    table->capacity = table->slots == NULL ? 0 : size;
  }
  if (table->slots == NULL) {
    return 0;
  }
  memset(table->slots, 0, size * sizeof *table->slots);
  return size - 1;
}

static enum search table_add(struct key_table *table, size_t mask, yyjson_val *key) {
  uint64_t hash = hash_key(key_text(key));
  for (size_t probe = 0; probe < PROBES_MAX; probe++) {
    struct slot *slot = &table->slots[(hash + probe) & mask];
    if (slot->key == NULL) {
      *slot = (struct slot){hash, key};
      return SEARCH_NONE;
    }
    if (slot->hash == hash && same_key(slot->key, key)) {
      return SEARCH_FOUND;
    }
  }
  return SEARCH_UNDECIDED;
}

static enum search search_table(struct key_table *table, yyjson_val *object, yyjson_val **ret_key) {
  size_t mask = table_clear(table, yyjson_obj_size(object));
  if (mask == 0) {
    return SEARCH_SHORT_OF_MEMORY;
  }
  yyjson_obj_iter iter = yyjson_obj_iter_with(object);
  while ((*ret_key = yyjson_obj_iter_next(&iter)) != NULL) {
    enum search search = table_add(table, mask, *ret_key);
    if (search != SEARCH_NONE) {
      return search;
    }
  }
  return SEARCH_NONE;
}

static int compare_keys(const void *left, const void *right) {
  struct text a = key_text(*(yyjson_val *const *)left);
  struct text b = key_text(*(yyjson_val *const *)right);
  if (a.len != b.len) {
    return a.len < b.len ? -1 : 1;
  }
  return a.len == 0 ? 0 : memcmp(a.data, b.data, a.len);
}

static enum search search_sorted(yyjson_val *object, const yyjson_alc *alc, yyjson_val **ret_key) {
  size_t count = yyjson_obj_size(object);
  yyjson_val **keys = alc->malloc(alc->ctx, count * sizeof(yyjson_val *));
  if (keys == NULL) {
    return SEARCH_SHORT_OF_MEMORY;
  }
  yyjson_obj_iter iter = yyjson_obj_iter_with(object);
  for (size_t i = 0; i < count; i++) {
    keys[i] = yyjson_obj_iter_next(&iter);
  }
  qsort(keys, count, sizeof(yyjson_val *), compare_keys);
  enum search search = SEARCH_NONE;
  for (size_t i = 1; i < count && search == SEARCH_NONE; i++) {
    *ret_key = keys[i];
    search = same_key(keys[i - 1], keys[i]) ? SEARCH_FOUND : SEARCH_NONE;
  }
  alc->free(alc->ctx, keys);
  return search;
}

static enum search search_object(struct key_table *table, yyjson_val *object,
                                 yyjson_val **ret_key) {
  if (yyjson_obj_size(object) <= PAIRWISE_MAX) {
    return search_pairs(object, ret_key);
  }
  enum search search = search_table(table, object, ret_key);
  return search == SEARCH_UNDECIDED ? search_sorted(object, table->alc, ret_key) : search;
}

// The values of an immutable document stand one after the other, so this needs no recursion and
// no stack however deep the document is.
int json_find_duplicate_key(yyjson_doc *doc, const yyjson_alc *alc, struct text *ret_key) {
  yyjson_val *values = yyjson_doc_get_root(doc);
  size_t count = yyjson_doc_get_val_count(doc);
  struct key_table table = {.alc = alc};
  enum search search = SEARCH_NONE;
  yyjson_val *key = NULL;
  for (size_t i = 0; search == SEARCH_NONE && i < count; i++) {
    if (unsafe_yyjson_is_obj(&values[i]) && unsafe_yyjson_get_len(&values[i]) > 1) {
      search = search_object(&table, &values[i], &key);
    }
  }
  if (table.slots != NULL) {
    alc->free(alc->ctx, table.slots);
  }
  *ret_key = search == SEARCH_FOUND ? key_text(key) : (struct text){NULL, 0};
  return search == SEARCH_SHORT_OF_MEMORY ? -1 : search == SEARCH_FOUND ? 1 : 0;
}
