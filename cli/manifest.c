#include "cli/manifest.h"

#include <stdlib.h>

#include "admission/json.h"
#include "cli/scalar.h"

static void manifest_free(struct manifest *manifest) {
  yyjson_mut_doc_free(manifest->doc);
  manifest_lines_free(manifest->lines);
}

void manifest_list_truncate(struct manifest_list *list, size_t keep) {
  while (list->count > keep) {
    list->count--;
    manifest_free(&list->items[list->count]);
  }
}

void manifest_list_free(struct manifest_list *list) {
  if (list == NULL) {
    return;
  }
  manifest_list_truncate(list, 0);
  free(list->items);
  *list = (struct manifest_list){NULL, 0, 0};
}

static enum manifest_status out_of_memory(const char *name, struct error *error) {
  error_set(error, "%s: out of memory", name);
  return MANIFEST_UNREADABLE;
}

static bool list_grow(struct manifest_list *list) {
  if (list->count < list->capacity) {
    return true;
  }
  size_t capacity = list->capacity == 0 ? 16 : list->capacity * 2;
  struct manifest *items = reallocarray(list->items, capacity, sizeof *items);
  if (items == NULL) {
    return false;
  }
  list->items = items;
  list->capacity = capacity;
  return true;
}

static const char *type_name(yyjson_mut_val *value) {
  if (yyjson_mut_is_str(value)) {
    return "a string";
  }
  return yyjson_mut_is_arr(value) ? "a list" : "a single value";
}

enum manifest_status manifest_list_add(struct manifest_list *list, struct manifest manifest,
                                       struct error *error) {
  yyjson_mut_val *root = yyjson_mut_doc_get_root(manifest.doc);
  if (!yyjson_mut_is_obj(root)) {
    error_set(error, "%s:%zu:1: found %s; a manifest is an object with apiVersion and kind",
              manifest.file, manifest.line, type_name(root));
    manifest_free(&manifest);
    return MANIFEST_INVALID;
  }
  if (list->count >= MANIFEST_DOCUMENTS_MAX || !list_grow(list)) {
    bool too_many = list->count >= MANIFEST_DOCUMENTS_MAX;
    manifest_free(&manifest);
    if (!too_many) {
      return out_of_memory(manifest.file, error);
    }
    error_set(error, "%s:%zu:1: more than %zu documents", manifest.file, manifest.line,
              MANIFEST_DOCUMENTS_MAX);
    return MANIFEST_INVALID;
  }
  list->items[list->count++] = manifest;
  return MANIFEST_READ;
}

struct position {
  size_t line;
  size_t column;
};

// The line and column of an offset, both from 1.
static struct position position_of(struct text text, size_t offset) {
  struct position position = {1, 1};
  for (size_t i = 0; i < offset && i < text.len; i++) {
    position.column++;
    if (text.data[i] == '\n') {
      position = (struct position){position.line + 1, 1};
    }
  }
  return position;
}

// Drops duplicate keys at every level of a value that is known not to be deep. False when memory
// is short.
static bool drop_all_duplicates(yyjson_mut_val *value) {
  if (yyjson_mut_is_obj(value)) {
    if (manifest_drop_duplicates(value) != 0) {
      return false;
    }
    yyjson_mut_obj_iter members = yyjson_mut_obj_iter_with(value);
    for (yyjson_mut_val *key = yyjson_mut_obj_iter_next(&members); key != NULL;
         key = yyjson_mut_obj_iter_next(&members)) {
      if (!drop_all_duplicates(yyjson_mut_obj_iter_get_val(key))) {
        return false;
      }
    }
  } else if (yyjson_mut_is_arr(value)) {
    yyjson_mut_arr_iter items = yyjson_mut_arr_iter_with(value);
    for (yyjson_mut_val *item = yyjson_mut_arr_iter_next(&items); item != NULL;
         item = yyjson_mut_arr_iter_next(&items)) {
      if (!drop_all_duplicates(item)) {
        return false;
      }
    }
  }
  return true;
}

// The depth of JSON text: known before anything recurses over it.
static size_t json_depth(const char *text, size_t len) {
  size_t depth = 0;
  size_t deepest = 0;
  bool in_string = false;
  for (size_t i = 0; i < len; i++) {
    char c = text[i];
    if (in_string) {
      i += c == '\\' ? 1 : 0;
      in_string = c != '"';
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      depth++;
      deepest = depth > deepest ? depth : deepest;
    } else if ((c == '}' || c == ']') && depth > 0) {
      depth--;
    }
  }
  return deepest;
}

// Blanks, and a "---" on a line of its own, which kubectl takes between JSON objects too.
static size_t skip_between(struct text text, size_t at) {
  while (at < text.len) {
    if (memchr(" \t\r\n", text.data[at], 4) != NULL) {
      at++;
    } else if (text_starts_with(text_slice(text, at, text.len), TEXT("---")) &&
               (at + 3 == text.len || text.data[at + 3] == '\n' || text.data[at + 3] == '\r')) {
      at += 3;
    } else {
      break;
    }
  }
  return at;
}

struct json_stream {
  const char *name;
  struct text text;  // the file, for lines and columns
  char *work;        // a copy with padding, which yyjson reads in place
  size_t at;
  size_t line;  // of `line_at`
  size_t line_at;
};

static size_t stream_line(struct json_stream *stream) {
  for (; stream->line_at < stream->at; stream->line_at++) {
    stream->line += stream->text.data[stream->line_at] == '\n' ? 1 : 0;
  }
  return stream->line;
}

static enum manifest_status stream_next(struct json_stream *stream, struct manifest_list *list,
                                        struct error *error) {
  yyjson_read_flag flags = JSON_READ_FLAGS | YYJSON_READ_STOP_WHEN_DONE | YYJSON_READ_INSITU;
  yyjson_read_err problem;
  yyjson_doc *doc = yyjson_read_opts(stream->work + stream->at, stream->text.len - stream->at,
                                     flags, NULL, &problem);
  if (doc == NULL && problem.code == YYJSON_READ_ERROR_MEMORY_ALLOCATION) {
    return out_of_memory(stream->name, error);
  }
  if (doc == NULL) {
    struct position position = position_of(stream->text, stream->at + problem.pos);
    error_set(error, "%s:%zu:%zu: %s", stream->name, position.line, position.column, problem.msg);
    return MANIFEST_INVALID;
  }
  size_t line = stream_line(stream);
  size_t size = yyjson_doc_get_read_size(doc);
  if (json_depth(stream->text.data + stream->at, size) > MANIFEST_DEPTH_MAX) {
    yyjson_doc_free(doc);
    error_set(error, "%s:%zu:1: nested more than %d levels deep", stream->name, line,
              MANIFEST_DEPTH_MAX);
    return MANIFEST_INVALID;
  }
  yyjson_mut_doc *copy = yyjson_doc_mut_copy(doc, NULL);
  yyjson_doc_free(doc);
  if (copy == NULL || !drop_all_duplicates(yyjson_mut_doc_get_root(copy))) {
    yyjson_mut_doc_free(copy);
    return out_of_memory(stream->name, error);
  }
  stream->at += size;
  return manifest_list_add(list, (struct manifest){stream->name, line, copy, NULL}, error);
}

static enum manifest_status parse_json(const char *name, struct text text,
                                       struct manifest_list *list, struct error *error) {
  struct json_stream stream = {.name = name, .text = text, .line = 1};
  stream.work = calloc(1, text.len + YYJSON_PADDING_SIZE);
  if (stream.work == NULL) {
    return out_of_memory(name, error);
  }
  memcpy(stream.work, text.data, text.len);
  enum manifest_status status = MANIFEST_READ;
  while (status == MANIFEST_READ && (stream.at = skip_between(text, stream.at)) < text.len) {
    status = stream_next(&stream, list, error);
  }
  free(stream.work);
  return status;
}

enum manifest_status manifest_parse(const char *name, struct text text, struct manifest_list *list,
                                    struct error *error) {
  static const struct text mark = {"\xEF\xBB\xBF", 3};
  if (text.len > MANIFEST_BYTES_MAX) {
    error_set(error, "%s: larger than %zu MiB", name, MANIFEST_BYTES_MAX >> 20);
    return MANIFEST_INVALID;
  }
  if (text_starts_with(text, mark)) {
    text = text_slice(text, mark.len, text.len);
  }
  size_t first = skip_between(text, 0);
  size_t keep = list->count;
  if (first == text.len || text.data[first] != '{') {
    return manifest_parse_yaml(name, text, list, error);
  }
  enum manifest_status status = parse_json(name, text, list, error);
  if (status != MANIFEST_INVALID) {
    return status;
  }
  // A YAML flow mapping starts like JSON; kubectl tries YAML as well. When both fail, the first
  // message is the one for a file that calls itself JSON.
  manifest_list_truncate(list, keep);
  struct error second;
  bool json_file = text_ends_with(text_of(name), TEXT(".json"));
  status = manifest_parse_yaml(name, text, list, json_file ? &second : error);
  return status;
}

yyjson_mut_val *manifest_to_json(yyjson_mut_doc *doc, yyjson_mut_val *value) {
  yyjson_mut_val *copy = NULL;
  if (yyjson_mut_is_raw(value)) {
    struct text raw = {yyjson_mut_get_raw(value), yyjson_mut_get_len(value)};
    struct scalar scalar = scalar_resolve(raw);
    return scalar.len > 0 ? yyjson_mut_rawncpy(doc, scalar.json, scalar.len)
                          : yyjson_mut_rawncpy(doc, raw.data, raw.len);
  }
  if (yyjson_mut_is_obj(value)) {
    copy = yyjson_mut_obj(doc);
    yyjson_mut_obj_iter members = yyjson_mut_obj_iter_with(value);
    for (yyjson_mut_val *key = yyjson_mut_obj_iter_next(&members); key != NULL;
         key = yyjson_mut_obj_iter_next(&members)) {
      if (!yyjson_mut_obj_add(
              copy, yyjson_mut_strncpy(doc, yyjson_mut_get_str(key), yyjson_mut_get_len(key)),
              manifest_to_json(doc, yyjson_mut_obj_iter_get_val(key)))) {
        return NULL;
      }
    }
    return copy;
  }
  if (yyjson_mut_is_arr(value)) {
    copy = yyjson_mut_arr(doc);
    yyjson_mut_arr_iter items = yyjson_mut_arr_iter_with(value);
    for (yyjson_mut_val *item = yyjson_mut_arr_iter_next(&items); item != NULL;
         item = yyjson_mut_arr_iter_next(&items)) {
      if (!yyjson_mut_arr_append(copy, manifest_to_json(doc, item))) {
        return NULL;
      }
    }
    return copy;
  }
  return yyjson_mut_val_mut_copy(doc, value);
}

struct text manifest_text(yyjson_mut_val *object, const char *name) {
  yyjson_mut_val *value = yyjson_mut_obj_get(object, name);
  if (!yyjson_mut_is_str(value)) {
    return (struct text){"", 0};
  }
  return (struct text){yyjson_mut_get_str(value), yyjson_mut_get_len(value)};
}
