#include "cli/manifest_yaml.h"

#include <stdlib.h>

// A container that is being filled.
struct frame {
  yyjson_mut_val *container;
  yyjson_mut_val *key;  // of a mapping: the key whose value comes next
  bool merge;           // the key is a merge key "<<"
  size_t anchor;        // 1 + index in the anchors; 0 for none
};

struct anchor {
  char *name;
  yyjson_mut_val *value;
  bool open;  // its container is still being filled
};

struct yaml_reader {
  yaml_parser_t parser;
  const char *name;
  struct text text;
  size_t fed;                    // bytes of `text` that the parser has taken
  bool ended;                    // the newline behind them too
  yyjson_mut_doc *doc;           // of the document that is being read
  struct manifest_lines *lines;  // of its values
  size_t line;
  struct frame frames[MANIFEST_DEPTH_MAX];
  size_t depth;
  struct anchor *anchors;  // MANIFEST_ANCHORS_MAX
  size_t anchor_count;
  size_t alias_bytes;
  struct error *error;
};

static int invalid_at(struct yaml_reader *reader, yaml_mark_t mark, const char *what) {
  error_set(reader->error, "%s:%zu:%zu: %s", reader->name, mark.line + 1, mark.column + 1, what);
  return MANIFEST_INVALID;
}

static int out_of_memory(struct yaml_reader *reader) {
  error_set(reader->error, "%s: out of memory", reader->name);
  return MANIFEST_UNREADABLE;
}

// Puts the place in front of an error that says only what.
static int placed(struct yaml_reader *reader, yaml_mark_t mark, int status) {
  if (status == MANIFEST_INVALID) {
    error_wrap(reader->error, "%s:%zu:%zu", reader->name, mark.line + 1, mark.column + 1);
  } else if (status != 0) {
    error_wrap(reader->error, "%s", reader->name);
  }
  return status;
}

// A copy that shares the strings, which live as long as the document. NULL with *ret_status set.
static yyjson_mut_val *copy_value(struct yaml_reader *reader, yyjson_mut_val *value, size_t depth,
                                  yaml_mark_t mark, int *ret_status) {
  reader->alias_bytes +=
      MANIFEST_ALIAS_VALUE_BYTES + (yyjson_mut_is_ctn(value) ? 0 : yyjson_mut_get_len(value));
  if (depth > MANIFEST_DEPTH_MAX || reader->alias_bytes > MANIFEST_ALIAS_BYTES_MAX) {
    *ret_status = invalid_at(reader, mark, "aliases make this document too large");
    return NULL;
  }
  yyjson_mut_val *copy = NULL;
  if (yyjson_mut_is_obj(value)) {
    copy = yyjson_mut_obj(reader->doc);
    yyjson_mut_obj_iter members = yyjson_mut_obj_iter_with(value);
    for (yyjson_mut_val *key = yyjson_mut_obj_iter_next(&members); key != NULL && copy != NULL;
         key = yyjson_mut_obj_iter_next(&members)) {
      yyjson_mut_val *key_copy =
          yyjson_mut_strn(reader->doc, yyjson_mut_get_str(key), yyjson_mut_get_len(key));
      yyjson_mut_val *member =
          copy_value(reader, yyjson_mut_obj_iter_get_val(key), depth + 1, mark, ret_status);
      copy = yyjson_mut_obj_add(copy, key_copy, member) ? copy : NULL;
    }
  } else if (yyjson_mut_is_arr(value)) {
    copy = yyjson_mut_arr(reader->doc);
    yyjson_mut_arr_iter items = yyjson_mut_arr_iter_with(value);
    for (yyjson_mut_val *item = yyjson_mut_arr_iter_next(&items); item != NULL && copy != NULL;
         item = yyjson_mut_arr_iter_next(&items)) {
      copy = yyjson_mut_arr_append(copy, copy_value(reader, item, depth + 1, mark, ret_status))
                 ? copy
                 : NULL;
    }
  } else if (yyjson_mut_is_raw(value)) {
    copy = yyjson_mut_rawn(reader->doc, yyjson_mut_get_raw(value), yyjson_mut_get_len(value));
  } else {
    copy = yyjson_mut_strn(reader->doc, yyjson_mut_get_str(value), yyjson_mut_get_len(value));
  }
  if (copy == NULL && *ret_status == 0) {
    *ret_status = out_of_memory(reader);
  }
  return copy;
}

static int merge_one(struct yaml_reader *reader, yyjson_mut_val *into, yyjson_mut_val *from,
                     yaml_mark_t mark) {
  if (!yyjson_mut_is_obj(from)) {
    return invalid_at(reader, mark, "the value of << must be a mapping or a list of mappings");
  }
  int status = 0;
  yyjson_mut_obj_iter members = yyjson_mut_obj_iter_with(from);
  for (yyjson_mut_val *key = yyjson_mut_obj_iter_next(&members); key != NULL && status == 0;
       key = yyjson_mut_obj_iter_next(&members)) {
    yyjson_mut_val *value =
        copy_value(reader, yyjson_mut_obj_iter_get_val(key), reader->depth + 1, mark, &status);
    yyjson_mut_val *key_copy =
        yyjson_mut_strn(reader->doc, yyjson_mut_get_str(key), yyjson_mut_get_len(key));
    if (status == 0 && !yyjson_mut_obj_add(into, key_copy, value)) {
      status = out_of_memory(reader);
    }
  }
  return status;
}

// As go-yaml v2: members are set in order, so a merge key after a member overrides it, and of a
// list the earlier mappings win.
static int merge(struct yaml_reader *reader, yyjson_mut_val *into, yyjson_mut_val *from,
                 yaml_mark_t mark) {
  if (!yyjson_mut_is_arr(from)) {
    return merge_one(reader, into, from, mark);
  }
  int status = 0;
  for (size_t i = yyjson_mut_arr_size(from); i > 0 && status == 0; i--) {
    status = merge_one(reader, into, yyjson_mut_arr_get(from, i - 1), mark);
  }
  return status;
}

// Puts a finished value where it belongs.
static int place(struct yaml_reader *reader, yyjson_mut_val *value, const yaml_event_t *event) {
  yaml_mark_t mark = event->start_mark;
  if (reader->depth == 0) {
    yyjson_mut_doc_set_root(reader->doc, value);
    return 0;
  }
  struct frame *frame = &reader->frames[reader->depth - 1];
  if (yyjson_mut_is_arr(frame->container)) {
    return yyjson_mut_arr_append(frame->container, value) ? 0 : out_of_memory(reader);
  }
  if (frame->merge) {
    frame->merge = false;
    return merge(reader, frame->container, value, mark);
  }
  if (frame->key != NULL) {
    yyjson_mut_val *key = frame->key;
    frame->key = NULL;
    return yyjson_mut_obj_add(frame->container, key, value) ? 0 : out_of_memory(reader);
  }
  bool plain = event->type == YAML_SCALAR_EVENT && event->data.scalar.plain_implicit;
  if (plain && yyjson_mut_equals_str(value, "<<")) {
    frame->merge = true;
    return 0;
  }
  return placed(reader, mark, manifest_yaml_key(reader->doc, value, &frame->key, reader->error));
}

// Finds an anchor; the count when there is none.
static size_t find_anchor(const struct yaml_reader *reader, const char *name) {
  size_t i = 0;
  while (i < reader->anchor_count && strcmp(reader->anchors[i].name, name) != 0) {
    i++;
  }
  return i;
}

// *ret_anchor is 1 + the index, 0 without an anchor.
static int set_anchor(struct yaml_reader *reader, const yaml_char_t *anchor, yyjson_mut_val *value,
                      yaml_mark_t mark, size_t *ret_anchor) {
  *ret_anchor = 0;
  if (anchor == NULL) {
    return 0;
  }
  size_t index = find_anchor(reader, (const char *)anchor);
  if (index == MANIFEST_ANCHORS_MAX) {
    return invalid_at(reader, mark, "too many anchors");
  }
  if (index == reader->anchor_count) {
    reader->anchors[index].name = strdup((const char *)anchor);
    if (reader->anchors[index].name == NULL) {
      return out_of_memory(reader);
    }
    reader->anchor_count++;
  }
  reader->anchors[index].value = value;
  reader->anchors[index].open = yyjson_mut_is_ctn(value);
  *ret_anchor = index + 1;
  return 0;
}

static int on_scalar(struct yaml_reader *reader, const yaml_event_t *event) {
  yyjson_mut_val *value = NULL;
  size_t anchor = 0;
  int status = placed(reader, event->start_mark,
                      manifest_yaml_scalar(reader->doc, event, &value, reader->error));
  if (status == 0) {
    manifest_lines_note(reader->lines, value, event->start_mark.line + 1);
    status = set_anchor(reader, event->data.scalar.anchor, value, event->start_mark, &anchor);
  }
  return status == 0 ? place(reader, value, event) : status;
}

static int on_alias(struct yaml_reader *reader, const yaml_event_t *event) {
  size_t index = find_anchor(reader, (const char *)event->data.alias.anchor);
  if (index == reader->anchor_count) {
    return invalid_at(reader, event->start_mark, "no anchor of this name before the alias");
  }
  if (reader->anchors[index].open) {
    return invalid_at(reader, event->start_mark, "the anchor contains this alias itself");
  }
  int status = 0;
  yyjson_mut_val *copy = copy_value(reader, reader->anchors[index].value, reader->depth + 1,
                                    event->start_mark, &status);
  manifest_lines_note(reader->lines, copy, event->start_mark.line + 1);
  return copy == NULL ? status : place(reader, copy, event);
}

static int on_start(struct yaml_reader *reader, const yaml_event_t *event,
                    const yaml_char_t *anchor, yyjson_mut_val *container) {
  if (container == NULL) {
    return out_of_memory(reader);
  }
  if (reader->depth == MANIFEST_DEPTH_MAX) {
    return invalid_at(reader, event->start_mark, "nested too deeply");
  }
  struct frame *parent = reader->depth == 0 ? NULL : &reader->frames[reader->depth - 1];
  if (parent != NULL && yyjson_mut_is_obj(parent->container) && parent->key == NULL &&
      !parent->merge) {
    return invalid_at(reader, event->start_mark, "a mapping key must be a string");
  }
  manifest_lines_note(reader->lines, container, event->start_mark.line + 1);
  struct frame frame = {.container = container};
  int status = set_anchor(reader, anchor, container, event->start_mark, &frame.anchor);
  reader->frames[reader->depth++] = frame;
  return status;
}

static int on_end(struct yaml_reader *reader, const yaml_event_t *event) {
  struct frame frame = reader->frames[--reader->depth];
  if (yyjson_mut_is_obj(frame.container) && manifest_drop_duplicates(frame.container) != 0) {
    return out_of_memory(reader);
  }
  // The anchor may have been given to another value meanwhile.
  if (frame.anchor != 0 && reader->anchors[frame.anchor - 1].value == frame.container) {
    reader->anchors[frame.anchor - 1].open = false;
  }
  return place(reader, frame.container, event);
}

static void forget_anchors(struct yaml_reader *reader) {
  for (size_t i = 0; i < reader->anchor_count; i++) {
    free(reader->anchors[i].name);
  }
  reader->anchor_count = 0;
  reader->alias_bytes = 0;
}

static int on_document_start(struct yaml_reader *reader, const yaml_event_t *event) {
  reader->line = event->end_mark.line + 1;
  reader->doc = yyjson_mut_doc_new(NULL);
  reader->lines = manifest_lines_new();
  forget_anchors(reader);
  return reader->doc == NULL || reader->lines == NULL ? out_of_memory(reader) : 0;
}

static int on_document_end(struct yaml_reader *reader, struct manifest_list *list) {
  struct manifest done = {reader->name, reader->line, reader->doc, reader->lines};
  reader->doc = NULL;
  reader->lines = NULL;
  yyjson_mut_val *root = yyjson_mut_doc_get_root(done.doc);
  bool plain = yyjson_mut_is_raw(root);
  struct text raw = {yyjson_mut_get_raw(root), yyjson_mut_get_len(root)};
  if (plain && (raw.len == 0 || text_equals_ignoring_case(raw, TEXT("null")) ||
                text_equals(raw, TEXT("~")))) {
    yyjson_mut_doc_free(done.doc);
    manifest_lines_free(done.lines);
    return 0;
  }
  return (int)manifest_list_add(list, done, reader->error);
}

static int on_event(struct yaml_reader *reader, const yaml_event_t *event,
                    struct manifest_list *list) {
  switch (event->type) {
    case YAML_DOCUMENT_START_EVENT:
      return on_document_start(reader, event);
    case YAML_DOCUMENT_END_EVENT:
      return on_document_end(reader, list);
    case YAML_SCALAR_EVENT:
      return on_scalar(reader, event);
    case YAML_ALIAS_EVENT:
      return on_alias(reader, event);
    case YAML_MAPPING_START_EVENT:
      return on_start(reader, event, event->data.mapping_start.anchor, yyjson_mut_obj(reader->doc));
    case YAML_SEQUENCE_START_EVENT:
      return on_start(reader, event, event->data.sequence_start.anchor,
                      yyjson_mut_arr(reader->doc));
    case YAML_MAPPING_END_EVENT:
    case YAML_SEQUENCE_END_EVENT:
      return on_end(reader, event);
    case YAML_NO_EVENT:
    case YAML_STREAM_START_EVENT:
    case YAML_STREAM_END_EVENT:
    default:
      return 0;
  }
}

// libyaml's message for text that is not YAML. Errors of its reader (wrong UTF-8, control
// characters) carry an offset only.
static int syntax_error(struct yaml_reader *reader) {
  const yaml_parser_t *parser = &reader->parser;
  if (parser->error == YAML_MEMORY_ERROR) {
    return out_of_memory(reader);
  }
  yaml_mark_t mark = parser->problem_mark;
  if (parser->error == YAML_READER_ERROR) {
    mark = (yaml_mark_t){0, 0, 0};
    for (size_t i = 0; i < parser->problem_offset && i < reader->text.len; i++) {
      bool line_end = reader->text.data[i] == '\n';
      mark.line += line_end ? 1 : 0;
      mark.column = line_end ? 0 : mark.column + 1;
    }
  }
  const char *context = parser->error == YAML_READER_ERROR ? NULL : parser->context;
  error_set(reader->error, "%s:%zu:%zu: %s%s%s", reader->name, mark.line + 1, mark.column + 1,
            parser->problem == NULL ? "not YAML" : parser->problem, context == NULL ? "" : ", ",
            context == NULL ? "" : context);
  return MANIFEST_INVALID;
}

// True if the last line has no line break. (In UTF-16, libyaml's other encoding, that is not seen.)
static bool lacks_newline(struct text text) {
  bool utf16 = text.len >= 2 && (text.data[0] == '\xFF' || text.data[0] == '\xFE');
  return text.len > 0 && text.data[text.len - 1] != '\n' && !utf16;
}

// Feeds the text, and a newline where the last line has none: kubectl reads by lines, so to it a
// block scalar at the end of a file always ends in a newline.
static int feed(void *data, unsigned char *bytes, size_t size, size_t *ret_len) {
  struct yaml_reader *reader = data;
  size_t rest = reader->text.len - reader->fed;
  *ret_len = rest < size ? rest : size;
  if (*ret_len > 0) {  // an empty text may have no data at all
    memcpy(bytes, reader->text.data + reader->fed, *ret_len);
  }
  reader->fed += *ret_len;
  if (*ret_len == 0 && size > 0 && !reader->ended && lacks_newline(reader->text)) {
    reader->ended = true;
    bytes[0] = '\n';
    *ret_len = 1;
  }
  return 1;
}

static int read_all(struct yaml_reader *reader, struct manifest_list *list) {
  yaml_parser_set_input(&reader->parser, feed, reader);
  bool done = false;
  int status = 0;
  while (!done && status == 0) {
    yaml_event_t event;
    if (!yaml_parser_parse(&reader->parser, &event)) {
      return syntax_error(reader);
    }
    done = event.type == YAML_STREAM_END_EVENT;
    status = on_event(reader, &event, list);
    yaml_event_delete(&event);
  }
  return status;
}

enum manifest_status manifest_parse_yaml(const char *name, struct text text,
                                         struct manifest_list *list, struct error *error) {
  struct yaml_reader *reader = calloc(1, sizeof *reader);
  if (reader == NULL) {
    error_set(error, "%s: out of memory", name);
    return MANIFEST_UNREADABLE;
  }
  *reader = (struct yaml_reader){.name = name, .text = text, .error = error};
  reader->anchors = calloc(MANIFEST_ANCHORS_MAX, sizeof *reader->anchors);
  int status = 0;
  if (reader->anchors == NULL || !yaml_parser_initialize(&reader->parser)) {
    status = out_of_memory(reader);
  } else {
    status = read_all(reader, list);
    yaml_parser_delete(&reader->parser);
  }
  forget_anchors(reader);
  free(reader->anchors);
  yyjson_mut_doc_free(reader->doc);
  manifest_lines_free(reader->lines);
  free(reader);
  return (enum manifest_status)status;
}
