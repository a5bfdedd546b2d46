#include "admission/patch.h"

#include <stdarg.h>

#include "admission/json.h"

enum operation_kind { OPERATION_ADD, OPERATION_REPLACE, OPERATION_REMOVE };
static const char *const operation_names[] = {"add", "replace", "remove"};

struct operation {
  enum operation_kind kind;
  struct text pointer;
  yyjson_mut_val *value;  // NULL for remove
};

struct patch {
  struct arena *arena;
  yyjson_val *object;
  yyjson_mut_doc *document;
  struct operation *operations;
  size_t count;
  size_t capacity;
  bool failed;        // memory was short, or too many operations
  size_t rule_start;  // first operation of the rule that runs now
  bool rule_refused;
  struct text rule_note;
};

struct patch *patch_new(yyjson_val *object, struct arena *arena) {
  struct patch *patch = arena_calloc(arena, 1, sizeof *patch);
  if (patch == NULL) {
    return NULL;
  }
  patch->arena = arena;
  patch->object = object;
  patch->document = yyjson_mut_doc_new(arena_yyjson(arena));
  return patch->document == NULL ? NULL : patch;
}

struct arena *patch_arena(struct patch *patch) {
  return patch->arena;
}

yyjson_mut_doc *patch_document(struct patch *patch) {
  return patch->document;
}

yyjson_mut_val *patch_keep(struct patch *patch, yyjson_mut_val *value) {
  patch->failed = patch->failed || value == NULL;
  return value;
}

// ---- a place: what stands at a pointer, in the object or in what earlier operations added ----

// Exactly one of the two is set if something is there, none if not.
struct place {
  yyjson_val *original;
  yyjson_mut_val *added;
};

static bool place_is_missing(struct place place) {
  return (place.original == NULL || yyjson_is_null(place.original)) &&
         (place.added == NULL || yyjson_mut_is_null(place.added));
}

static bool place_is_object(struct place place) {
  return yyjson_is_obj(place.original) || yyjson_mut_is_obj(place.added);
}

static bool place_is_array(struct place place) {
  return yyjson_is_arr(place.original) || yyjson_mut_is_arr(place.added);
}

// RFC 6901 §4: "~1" is '/', "~0" is '~'. `token` comes from our own pointers and is short.
#define TOKEN_MAX 256

static struct text unescape(struct text token, char unescaped[TOKEN_MAX]) {
  if (!text_contains(token, TEXT("~"))) {
    return token;
  }
  size_t len = 0;
  for (size_t i = 0; i < token.len && len < TOKEN_MAX; i++) {
    bool escaped = token.data[i] == '~' && i + 1 < token.len;
    unescaped[len++] = !escaped ? token.data[i] : token.data[i + 1] == '1' ? '/' : '~';
    i += escaped ? 1 : 0;
  }
  return (struct text){unescaped, len};
}

static struct place place_child(struct place parent, struct text token) {
  char bytes[TOKEN_MAX];
  struct text name = unescape(token, bytes);
  unsigned long long index = 0;
  if (place_is_object(parent)) {
    return (struct place){yyjson_obj_getn(parent.original, name.data, name.len),
                          yyjson_mut_obj_getn(parent.added, name.data, name.len)};
  }
  if (place_is_array(parent) && text_to_unsigned(token, SIZE_MAX, &index)) {
    return (struct place){yyjson_arr_get(parent.original, (size_t)index),
                          yyjson_mut_arr_get(parent.added, (size_t)index)};
  }
  return (struct place){NULL, NULL};
}

// The value of the latest operation at exactly this pointer. What an operation appends to an array
// that was there before ("/-") is never looked up: no two rules share an element.
static const struct operation *operation_at(const struct patch *patch, struct text pointer) {
  for (size_t i = patch->count; i > 0; i--) {
    if (text_equals(patch->operations[i - 1].pointer, pointer)) {
      return &patch->operations[i - 1];
    }
  }
  return NULL;
}

// The next token of a pointer from *position, which stands on a '/'; moves behind the token.
static struct text next_token(struct text pointer, size_t *position) {
  size_t start = *position + 1;
  *position = text_find(pointer, TEXT("/"), start);
  return text_slice(pointer, start, *position);
}

static struct place place_step(const struct patch *patch, struct place parent, struct text pointer,
                               size_t end, struct text token) {
  const struct operation *operation = operation_at(patch, text_slice(pointer, 0, end));
  if (operation != NULL) {
    return (struct place){NULL, operation->value};
  }
  return place_child(parent, token);
}

// ---- writing operations ----

static void refuse(struct patch *patch, struct text pointer, const char *why) {
  patch->rule_refused = true;
  patch->rule_note = arena_printf(patch->arena, "%.*s is %s", TEXT_ARG(pointer), why);
}

static struct operation *add_operation(struct patch *patch) {
  if (patch->count == patch->capacity) {
    size_t capacity = patch->capacity == 0 ? 16 : patch->capacity * 2;
    struct operation *grown = arena_calloc(patch->arena, capacity, sizeof *grown);
    if (grown == NULL) {
      return NULL;
    }
    if (patch->count > 0) {
      memcpy(grown, patch->operations, patch->count * sizeof *grown);
    }
    patch->operations = grown;
    patch->capacity = capacity;
  }
  return &patch->operations[patch->count++];
}

static void emit(struct patch *patch, enum operation_kind kind, struct text pointer,
                 yyjson_mut_val *value) {
  if (patch->count == PATCH_OPERATIONS_MAX) {
    refuse(patch, pointer, "one operation more than a patch may have");
    return;
  }
  struct text kept = arena_copy(patch->arena, pointer);
  struct operation *operation = kept.data == NULL ? NULL : add_operation(patch);
  if (operation == NULL) {
    patch->failed = true;
    return;
  }
  *operation = (struct operation){kind, kept, value};
}

// The value as the only member of new parents, one for each token from `position` on, so that one
// operation creates them all.
static yyjson_mut_val *wrap(struct patch *patch, struct text pointer, size_t position,
                            yyjson_mut_val *value) {
  if (position >= pointer.len || value == NULL) {
    return value;
  }
  char bytes[TOKEN_MAX];
  struct text name = unescape(next_token(pointer, &position), bytes);
  yyjson_mut_val *inner = wrap(patch, pointer, position, value);
  yyjson_mut_val *key = patch_keep(patch, yyjson_mut_strncpy(patch->document, name.data, name.len));
  yyjson_mut_val *object = value_object(patch);
  if (key == NULL || object == NULL || inner == NULL) {
    return NULL;
  }
  yyjson_mut_obj_add(object, key, inner);
  return object;
}

// What a walk along a pointer found: the place at its end, or how far it exists.
struct walk {
  struct place place;
  bool in_array;   // the last token is an index of an array that is there
  size_t missing;  // end of the first token that is missing; 0 if all are there
};

// Returns false after refusing the rule because something on the way is no container.
static bool walk_to(struct patch *patch, struct text pointer, struct walk *ret_walk) {
  *ret_walk = (struct walk){.place = {patch->object, NULL}};
  for (size_t position = 0; position < pointer.len;) {
    size_t start = position;
    struct text token = next_token(pointer, &position);
    struct place parent = ret_walk->place;
    if (!place_is_object(parent) && !place_is_array(parent)) {
      refuse(patch, text_slice(pointer, 0, start), "neither an object nor a list");
      return false;
    }
    ret_walk->in_array = place_is_array(parent);
    ret_walk->place = place_step(patch, parent, pointer, position, token);
    if (place_is_missing(ret_walk->place)) {
      ret_walk->missing = position;
      return true;
    }
  }
  return true;
}

static struct text format_pointer(struct patch *patch, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));

static struct text format_pointer(struct patch *patch, const char *format, va_list args) {
  struct text pointer = arena_vprintf(patch->arena, format, args);
  patch->failed = patch->failed || pointer.data == NULL;
  return pointer;
}

static void set_at(struct patch *patch, struct text pointer, yyjson_mut_val *value) {
  struct walk walk;
  if (!walk_to(patch, pointer, &walk)) {
    return;
  }
  if (walk.missing == 0) {
    emit(patch, OPERATION_REPLACE, pointer, value);
  } else if (walk.in_array) {
    refuse(patch, text_slice(pointer, 0, walk.missing), "not there");
  } else {
    emit(patch, OPERATION_ADD, text_slice(pointer, 0, walk.missing),
         wrap(patch, pointer, walk.missing, value));
  }
}

static void append_at(struct patch *patch, struct text pointer, yyjson_mut_val *value) {
  struct walk walk;
  if (!walk_to(patch, pointer, &walk)) {
    return;
  }
  if (walk.missing != 0) {
    yyjson_mut_val *array = value_array(patch);
    value_push(patch, array, value);
    set_at(patch, pointer, array);
  } else if (!place_is_array(walk.place)) {
    refuse(patch, pointer, "not a list");
  } else {
    struct text end = arena_printf(patch->arena, "%.*s/-", TEXT_ARG(pointer));
    emit(patch, OPERATION_ADD, end, value);
  }
}

typedef void place_value(struct patch *patch, struct text pointer, yyjson_mut_val *value);

static void place(struct patch *patch, place_value *place_at, yyjson_mut_val *value,
                  const char *format, va_list args) __attribute__((format(printf, 4, 0)));

static void place(struct patch *patch, place_value *place_at, yyjson_mut_val *value,
                  const char *format, va_list args) {
  struct text pointer = format_pointer(patch, format, args);
  patch_keep(patch, value);
  if (!patch->failed && !patch->rule_refused) {
    place_at(patch, pointer, value);
  }
}

void patch_set(struct patch *patch, yyjson_mut_val *value, const char *format, ...) {
  va_list args;
  va_start(args, format);
  place(patch, set_at, value, format, args);
  va_end(args);
}

void patch_append(struct patch *patch, yyjson_mut_val *value, const char *format, ...) {
  va_list args;
  va_start(args, format);
  place(patch, append_at, value, format, args);
  va_end(args);
}

void patch_remove(struct patch *patch, const char *format, ...) {
  va_list args;
  va_start(args, format);
  struct text pointer = format_pointer(patch, format, args);
  va_end(args);
  struct walk walk;
  if (!patch->failed && !patch->rule_refused && walk_to(patch, pointer, &walk) &&
      walk.missing == 0) {
    emit(patch, OPERATION_REMOVE, pointer, NULL);
  }
}

void patch_note(struct patch *patch, const char *format, ...) {
  va_list args;
  va_start(args, format);
  patch->rule_note = arena_vprintf(patch->arena, format, args);
  va_end(args);
}

struct text patch_text(struct patch *patch, const char *format, ...) {
  va_list args;
  va_start(args, format);
  struct text text = format_pointer(patch, format, args);
  va_end(args);
  return text;
}

// ---- for the engine ----

void patch_begin_rule(struct patch *patch) {
  patch->rule_start = patch->count;
  patch->rule_refused = false;
  patch->rule_note = (struct text){NULL, 0};
}

struct rule_patch patch_end_rule(struct patch *patch) {
  if (patch->rule_refused) {
    patch_truncate(patch, patch->rule_start);
  }
  return (struct rule_patch){
      .operations = patch->count - patch->rule_start,
      .refused = patch->rule_refused,
      .note = patch->rule_note,
  };
}

void patch_truncate(struct patch *patch, size_t keep) {
  patch->count = keep < patch->count ? keep : patch->count;
}

size_t patch_count(const struct patch *patch) {
  return patch->count;
}

struct text patch_pointer(const struct patch *patch, size_t index) {
  return patch->operations[index].pointer;
}

bool patch_failed(const struct patch *patch) {
  return patch->failed;
}

static yyjson_mut_val *operation_value(struct patch *patch, const struct operation *operation) {
  yyjson_mut_val *object = value_object(patch);
  value_put_string(patch, object, "op", text_of(operation_names[operation->kind]));
  value_put_string(patch, object, "path", operation->pointer);
  if (operation->value != NULL) {
    value_put(patch, object, "value", operation->value);
  }
  return object;
}

struct text patch_write(struct patch *patch) {
  yyjson_mut_val *list = value_array(patch);
  for (size_t i = 0; i < patch->count; i++) {
    value_push(patch, list, operation_value(patch, &patch->operations[i]));
  }
  if (patch->failed) {
    return (struct text){NULL, 0};
  }
  size_t len = 0;
  char *json = yyjson_mut_val_write_opts(list, 0, arena_yyjson(patch->arena), &len, NULL);
  return (struct text){json, json == NULL ? 0 : len};
}
