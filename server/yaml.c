#include "server/yaml.h"

#include <string.h>
#include <yaml.h>

#include "admission/quote.h"

struct reader {
  yaml_parser_t parser;
  struct arena *arena;
  struct mistakes *mistakes;
  const char *input;
  size_t input_len;
  struct node *open[YAML_DEPTH_MAX];  // lists and mappings that have not ended
  size_t depth;
  size_t nodes;
  size_t documents;
  struct node *root;
};

static const char YAML_PLACE[] = "YAML";
static const struct path yaml_path = {.key = {YAML_PLACE, sizeof YAML_PLACE - 1}};

static void report(struct reader *reader, yaml_mark_t mark, const char *what) {
  mistakes_add(reader->mistakes, mark.line + 1, mark.column + 1, &yaml_path, "%s", what);
}

// Errors of libyaml's reader (encoding, NUL, control characters) carry an offset, not a line.
static void report_bad_bytes(struct reader *reader) {
  size_t offset = reader->parser.problem_offset;
  size_t line = 1;
  size_t column = 1;
  for (size_t i = 0; i < offset && i < reader->input_len; i++) {
    unsigned char c = (unsigned char)reader->input[i];
    if (c == '\n') {
      line++;
      column = 1;
    } else if ((c & 0xc0) != 0x80) {
      column++;
    }
  }
  mistakes_add(reader->mistakes, line, column, &yaml_path,
               "found bytes that are no text (%s), wanted UTF-8", reader->parser.problem);
}

static void report_parser_error(struct reader *reader) {
  const yaml_parser_t *parser = &reader->parser;
  const char *problem = parser->problem == NULL ? "unknown error" : parser->problem;
  if (parser->error == YAML_MEMORY_ERROR) {
    reader->mistakes->out_of_memory = true;
  } else if (parser->error == YAML_READER_ERROR) {
    report_bad_bytes(reader);
  } else if (parser->context != NULL) {
    mistakes_add(reader->mistakes, parser->problem_mark.line + 1, parser->problem_mark.column + 1,
                 &yaml_path, "%s, %s that began on line %zu", problem, parser->context,
                 parser->context_mark.line + 1);
  } else {
    report(reader, parser->problem_mark, problem);
  }
}

// A new node at the event's place, hung into the list or mapping that is open. NULL on failure,
// which has been reported.
static struct node *add_node(struct reader *reader, const yaml_event_t *event,
                             enum node_type type) {
  if (++reader->nodes > YAML_NODES_MAX) {
    mistakes_add(reader->mistakes, event->start_mark.line + 1, event->start_mark.column + 1,
                 &yaml_path, "found more than %d keys and values, wanted at most that",
                 YAML_NODES_MAX);
    return NULL;
  }
  struct node *node = arena_calloc(reader->arena, 1, sizeof *node);
  if (node == NULL) {
    reader->mistakes->out_of_memory = true;
    return NULL;
  }
  node->type = type;
  node->line = event->start_mark.line + 1;
  node->column = event->start_mark.column + 1;
  if (reader->depth == 0) {
    reader->root = node;
    return node;
  }
  struct node *parent = reader->open[reader->depth - 1];
  if (parent->last == NULL) {
    parent->first = node;
  } else {
    parent->last->next = node;
  }
  parent->last = node;
  parent->count++;
  return node;
}

// True if the node carries neither an anchor nor a tag. The tag "!" alone says "a string" and is
// refused with the others.
static bool is_undecorated(struct reader *reader, const yaml_event_t *event,
                           const yaml_char_t *anchor, const yaml_char_t *tag) {
  if (anchor != NULL) {
    report(reader, event->start_mark,
           "found an anchor (&), wanted the value alone: anchors and aliases are not read");
  } else if (tag != NULL) {
    report(reader, event->start_mark, "found a tag (!), wanted the value alone");
  }
  return anchor == NULL && tag == NULL;
}

static bool open_node(struct reader *reader, const yaml_event_t *event, enum node_type type) {
  if (reader->depth == YAML_DEPTH_MAX) {
    mistakes_add(reader->mistakes, event->start_mark.line + 1, event->start_mark.column + 1,
                 &yaml_path, "found lists or mappings more than %d deep, wanted fewer",
                 YAML_DEPTH_MAX);
    return false;
  }
  struct node *node = add_node(reader, event, type);
  if (node != NULL) {
    reader->open[reader->depth++] = node;
  }
  return node != NULL;
}

static bool add_scalar(struct reader *reader, const yaml_event_t *event) {
  struct node *node = add_node(reader, event, NODE_SCALAR);
  if (node == NULL) {
    return false;
  }
  const char *value = (const char *)event->data.scalar.value;
  node->text = arena_copy(reader->arena, (struct text){value, event->data.scalar.length});
  node->is_plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
  if (node->text.data == NULL) {
    reader->mistakes->out_of_memory = true;
    return false;
  }
  if (!is_undecorated(reader, event, event->data.scalar.anchor, event->data.scalar.tag)) {
    node->type = NODE_INVALID;
  }
  return true;
}

static bool begin_document(struct reader *reader, const yaml_event_t *event) {
  if (++reader->documents == 1) {
    return true;
  }
  report(reader, event->start_mark, "found a second document, wanted one");
  return false;
}

// False ends the reading: at the end of the text, or because of a mistake that has been reported.
static bool take_event(struct reader *reader, const yaml_event_t *event) {
  switch (event->type) {
    case YAML_DOCUMENT_START_EVENT:
      return begin_document(reader, event);
    case YAML_SCALAR_EVENT:
      return add_scalar(reader, event);
    case YAML_ALIAS_EVENT:
      report(reader, event->start_mark,
             "found an alias (*), wanted the value itself: anchors and aliases are not read; "
             "a text that begins with * needs quotes");
      return add_node(reader, event, NODE_INVALID) != NULL;
    case YAML_SEQUENCE_START_EVENT:
      is_undecorated(reader, event, event->data.sequence_start.anchor,
                     event->data.sequence_start.tag);
      return open_node(reader, event, NODE_LIST);
    case YAML_MAPPING_START_EVENT:
      is_undecorated(reader, event, event->data.mapping_start.anchor,
                     event->data.mapping_start.tag);
      return open_node(reader, event, NODE_MAPPING);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
      reader->depth--;
      return true;
    case YAML_STREAM_END_EVENT:
      return false;
    case YAML_STREAM_START_EVENT:
    case YAML_DOCUMENT_END_EVENT:
    case YAML_NO_EVENT:
    default:
      return true;
  }
}

struct node *yaml_read(const char *text, size_t len, struct arena *arena,
                       struct mistakes *mistakes) {
  text = len == 0 ? "" : text;  // libyaml wants a pointer even to nothing
  if (text_starts_with((struct text){text, len}, TEXT("\xef\xbb\xbf"))) {
    text += 3;  // libyaml, told the encoding, counts a byte order mark as a column
    len -= 3;
  }
  struct reader reader = {.arena = arena, .mistakes = mistakes, .input = text, .input_len = len};
  if (!yaml_parser_initialize(&reader.parser)) {
    mistakes->out_of_memory = true;
    return NULL;
  }
  yaml_parser_set_encoding(&reader.parser, YAML_UTF8_ENCODING);
  yaml_parser_set_input_string(&reader.parser, (const unsigned char *)text, len);
  bool is_complete = false;
  for (bool more = true; more;) {
    yaml_event_t event;
    if (!yaml_parser_parse(&reader.parser, &event)) {
      report_parser_error(&reader);
      break;
    }
    more = take_event(&reader, &event);
    // What stands before a second document is read all the same: all mistakes at once.
    is_complete = event.type == YAML_STREAM_END_EVENT || reader.documents > 1;
    yaml_event_delete(&event);
  }
  yaml_parser_delete(&reader.parser);
  return is_complete && !mistakes->out_of_memory ? reader.root : NULL;
}

bool node_is_null(const struct node *node) {
  static const char *const nulls[] = {"", "~", "null", "Null", "NULL"};
  for (size_t i = 0; i < sizeof nulls / sizeof nulls[0]; i++) {
    if (text_equals(node->text, text_of(nulls[i]))) {
      return node->type == NODE_SCALAR && node->is_plain;
    }
  }
  return false;
}

const char *node_describe(const struct node *node, struct arena *arena) {
  char quoted[QUOTE_MAX];
  if (node->type == NODE_MAPPING) {
    return "a mapping";
  }
  if (node->type == NODE_LIST) {
    return "a list";
  }
  if (node_is_null(node)) {
    return "null";
  }
  const char *kind = node->is_plain ? "" : "the string ";
  struct text described = arena_printf(arena, "%s%s", kind, quote_text(node->text, quoted));
  return described.data == NULL ? "a scalar" : described.data;
}
