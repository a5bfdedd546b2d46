#include <stdlib.h>
#include <yaml.h>

#include "cli/manifest.h"
#include "cli/scalar.h"

static int append_bytes(void *data, unsigned char *bytes, size_t len) {
  return buffer_append(data, bytes, len) ? 1 : 0;
}

// A block scalar shows a script as it is. Tabs at the start of a line, blanks in front of the first
// line, and characters that YAML treats as line breaks or cannot show are safer in double quotes.
static bool fits_block(struct text string) {
  if (string.data[0] == '\n' || string.data[0] == ' ') {
    return false;
  }
  for (size_t i = 0; i < string.len; i++) {
    unsigned char c = (unsigned char)string.data[i];
    bool first = i == 0 || string.data[i - 1] == '\n';
    bool control = (c < 0x20 && c != '\n' && c != '\t') || c == 0x7F;
    if (control || (first && c == '\t')) {
      return false;
    }
  }
  return string.data[string.len - 1] != ' ' && string.data[string.len - 1] != '\t';
}

// NEL, LS, PS and the byte order mark, which readers of YAML 1.1 change.
static bool has_odd_breaks(struct text string) {
  return text_contains(string, TEXT("\xC2\x85")) || text_contains(string, TEXT("\xE2\x80\xA8")) ||
         text_contains(string, TEXT("\xE2\x80\xA9")) || text_contains(string, TEXT("\xEF\xBB\xBF"));
}

static yaml_scalar_style_t string_style(struct text string, bool is_key) {
  if (string.len == 0 || scalar_needs_quotes(string) || has_odd_breaks(string)) {
    return YAML_DOUBLE_QUOTED_SCALAR_STYLE;
  }
  if (memchr(string.data, '\n', string.len) != NULL) {
    return !is_key && fits_block(string) ? YAML_LITERAL_SCALAR_STYLE
                                         : YAML_DOUBLE_QUOTED_SCALAR_STYLE;
  }
  // The emitter falls back to quotes where the syntax asks for them.
  return YAML_PLAIN_SCALAR_STYLE;
}

static bool emit_scalar(yaml_emitter_t *emitter, struct text text, yaml_scalar_style_t style) {
  yaml_event_t event;
  static yaml_char_t none[] = "";
  char *bytes = text.len > INT32_MAX ? NULL : malloc(text.len + 1);
  if (bytes == NULL) {
    return false;
  }
  memcpy(bytes, text.len == 0 ? "" : text.data, text.len);
  bool fine =
      yaml_scalar_event_initialize(&event, NULL, NULL, text.len == 0 ? none : (yaml_char_t *)bytes,
                                   (int)text.len, 1, 1, style) &&
      yaml_emitter_emit(emitter, &event);
  free(bytes);
  return fine;
}

static bool emit_string(yaml_emitter_t *emitter, yyjson_mut_val *string, bool is_key) {
  struct text text = {yyjson_mut_get_str(string), yyjson_mut_get_len(string)};
  return emit_scalar(emitter, text, string_style(text, is_key));
}

static bool emit_value(yaml_emitter_t *emitter, yyjson_mut_val *value);

static bool emit_object(yaml_emitter_t *emitter, yyjson_mut_val *object) {
  yaml_event_t event;
  if (!yaml_mapping_start_event_initialize(&event, NULL, NULL, 1, YAML_BLOCK_MAPPING_STYLE) ||
      !yaml_emitter_emit(emitter, &event)) {
    return false;
  }
  yyjson_mut_obj_iter members = yyjson_mut_obj_iter_with(object);
  for (yyjson_mut_val *key = yyjson_mut_obj_iter_next(&members); key != NULL;
       key = yyjson_mut_obj_iter_next(&members)) {
    if (!emit_string(emitter, key, true) ||
        !emit_value(emitter, yyjson_mut_obj_iter_get_val(key))) {
      return false;
    }
  }
  return yaml_mapping_end_event_initialize(&event) && yaml_emitter_emit(emitter, &event);
}

static bool emit_array(yaml_emitter_t *emitter, yyjson_mut_val *array) {
  yaml_event_t event;
  if (!yaml_sequence_start_event_initialize(&event, NULL, NULL, 1, YAML_BLOCK_SEQUENCE_STYLE) ||
      !yaml_emitter_emit(emitter, &event)) {
    return false;
  }
  yyjson_mut_arr_iter items = yyjson_mut_arr_iter_with(array);
  for (yyjson_mut_val *item = yyjson_mut_arr_iter_next(&items); item != NULL;
       item = yyjson_mut_arr_iter_next(&items)) {
    if (!emit_value(emitter, item)) {
      return false;
    }
  }
  return yaml_sequence_end_event_initialize(&event) && yaml_emitter_emit(emitter, &event);
}

static bool emit_value(yaml_emitter_t *emitter, yyjson_mut_val *value) {
  if (yyjson_mut_is_obj(value)) {
    return emit_object(emitter, value);
  }
  if (yyjson_mut_is_arr(value)) {
    return emit_array(emitter, value);
  }
  if (yyjson_mut_is_str(value)) {
    return emit_string(emitter, value, false);
  }
  struct text plain = TEXT("null");
  if (yyjson_mut_is_raw(value) && yyjson_mut_get_len(value) > 0) {
    plain = (struct text){yyjson_mut_get_raw(value), yyjson_mut_get_len(value)};
  } else if (yyjson_mut_is_bool(value)) {
    plain = yyjson_mut_is_true(value) ? TEXT("true") : TEXT("false");
  }
  char number[32];
  if (yyjson_mut_is_sint(value) || yyjson_mut_is_uint(value)) {
    snprintf(number, sizeof number, "%lld", (long long)yyjson_mut_get_sint(value));
    plain = text_of(number);
  }
  return emit_scalar(emitter, plain, YAML_PLAIN_SCALAR_STYLE);
}

static bool emit_document(yaml_emitter_t *emitter, yyjson_mut_val *value) {
  yaml_event_t event;
  return yaml_stream_start_event_initialize(&event, YAML_UTF8_ENCODING) &&
         yaml_emitter_emit(emitter, &event) &&
         yaml_document_start_event_initialize(&event, NULL, NULL, NULL, 1) &&
         yaml_emitter_emit(emitter, &event) && emit_value(emitter, value) &&
         yaml_document_end_event_initialize(&event, 1) && yaml_emitter_emit(emitter, &event) &&
         yaml_stream_end_event_initialize(&event) && yaml_emitter_emit(emitter, &event);
}

int manifest_write_yaml(yyjson_mut_val *value, struct buffer *out) {
  yaml_emitter_t emitter;
  if (!yaml_emitter_initialize(&emitter)) {
    return -1;
  }
  yaml_emitter_set_output(&emitter, append_bytes, out);
  yaml_emitter_set_indent(&emitter, 2);
  yaml_emitter_set_unicode(&emitter, 1);
  // Folding a line is one more thing that could be read back differently.
  yaml_emitter_set_width(&emitter, -1);
  bool fine = emit_document(&emitter, value) && !out->failed;
  yaml_emitter_delete(&emitter);
  return fine ? 0 : -1;
}
