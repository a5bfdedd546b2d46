#include "server/configuration_read.h"

#include <string.h>

#include "admission/quote.h"

static const char *describe(const struct loader *loader, const struct node *node) {
  return node_describe(node, loader->scratch);
}

bool loader_expects(const struct loader *loader, const struct node *node, enum node_type type,
                    const struct path *path, const char *wanted) {
  if (node->type != type && node->type != NODE_INVALID && !node_is_null(node)) {
    mistakes_add(loader->mistakes, node->line, node->column, path, "found %s, wanted %s",
                 describe(loader, node), wanted);
  }
  return node->type == type;
}

const char **loader_names(const struct loader *loader, size_t count) {
  const char **names = arena_calloc(loader->scratch, count + 1, sizeof *names);
  if (names == NULL) {
    loader->mistakes->out_of_memory = true;
  }
  return names;
}

struct node *node_get(const struct node *mapping, const char *key) {
  if (mapping == NULL || mapping->type != NODE_MAPPING) {
    return NULL;
  }
  for (const struct node *name = mapping->first; name != NULL; name = name->next->next) {
    if (name->type == NODE_SCALAR && text_equals(name->text, text_of(key))) {
      return name->next;
    }
  }
  return NULL;
}

// All names, for a message; a long list is cut.
static struct text join_names(const struct loader *loader, const char *const *names, size_t count) {
  struct text joined = TEXT("");
  for (size_t i = 0; i < count; i++) {
    joined =
        arena_printf(loader->scratch, "%.*s%s%s", TEXT_ARG(joined), i == 0 ? "" : ", ", names[i]);
    if (joined.len > 400) {
      return arena_printf(loader->scratch, "%.*s…", TEXT_ARG(joined));
    }
  }
  return joined;
}

static void report_unknown_key(const struct loader *loader, const struct node *key,
                               const struct path *parent, const char *const *names, size_t count) {
  if (loader->mistakes->count >= MISTAKES_MAX) {
    mistakes_add(loader->mistakes, key->line, key->column, parent, "found an unknown key");
    return;
  }
  struct path path = {.parent = parent, .key = key->text};
  const char *nearest = nearest_name(key->text, names, count);
  if (nearest != NULL) {
    mistakes_add(loader->mistakes, key->line, key->column, &path,
                 "found an unknown key, wanted a known one; did you mean \"%s\"?", nearest);
  } else {
    mistakes_add(loader->mistakes, key->line, key->column, &path,
                 "found an unknown key, wanted one of: %.*s",
                 TEXT_ARG(join_names(loader, names, count)));
  }
}

void loader_check_keys(const struct loader *loader, struct node *mapping, const struct path *path,
                       const char *const *names, size_t count) {
  const struct node **seen = arena_calloc(loader->scratch, count + 1, sizeof *seen);
  if (seen == NULL) {
    loader->mistakes->out_of_memory = true;
    return;
  }
  for (struct node *key = mapping->first; key != NULL; key = key->next->next) {
    size_t index = 0;
    while (index < count && !text_equals(key->text, text_of(names[index]))) {
      index++;
    }
    if (key->type == NODE_LIST || key->type == NODE_MAPPING) {
      mistakes_add(loader->mistakes, key->line, key->column, path, "found %s as a key, wanted text",
                   describe(loader, key));
      key->type = NODE_INVALID;
    } else if (key->type == NODE_SCALAR && index == count) {
      report_unknown_key(loader, key, path, names, count);
      key->type = NODE_INVALID;
    } else if (key->type == NODE_SCALAR && seen[index] != NULL) {
      struct path at = {.parent = path, .key = key->text};
      mistakes_add(loader->mistakes, key->line, key->column, &at,
                   "found the key a second time, wanted it once; the first is on line %zu",
                   seen[index]->line);
      key->type = NODE_INVALID;
    } else if (key->type == NODE_SCALAR) {
      seen[index] = key;
    }
  }
}

// True for what YAML readers take for a number or a boolean when it has no quotes.
static bool looks_typed(struct text text) {
  if (text_equals(text, TEXT("true")) || text_equals(text, TEXT("false"))) {
    return true;
  }
  size_t digits = 0;
  for (size_t i = 0; i < text.len; i++) {
    char c = text.data[i];
    bool is_digit = c >= '0' && c <= '9';
    digits += is_digit ? 1U : 0U;
    bool is_exponent = (c == 'e' || c == 'E') && digits > 0;
    if (!is_digit && !is_exponent && strchr("+-._", c) == NULL) {
      return false;
    }
  }
  return digits > 0 && memchr(text.data, '.', text.len) == memrchr(text.data, '.', text.len);
}

// Reports a scalar that has quotes where it must not, or the other way round. True if it is fine.
static bool check_quotes(const struct loader *loader, enum option_type type,
                         const struct node *node, const struct path *path) {
  bool is_text = type == OPTION_STRING || type == OPTION_STRINGS;
  if (is_text && node->is_plain && looks_typed(node->text)) {
    mistakes_add(loader->mistakes, node->line, node->column, path,
                 "found %.*s without quotes, wanted a string", TEXT_ARG(node->text));
    return false;
  }
  if ((type == OPTION_BOOL || type == OPTION_INT) && !node->is_plain) {
    mistakes_add(loader->mistakes, node->line, node->column, path,
                 "found %s, wanted %s without quotes", describe(loader, node),
                 type == OPTION_BOOL ? "true or false" : "a number");
    return false;
  }
  return true;
}

static bool check_text(const struct loader *loader, const struct text_check *check,
                       const struct node *node, const struct path *path) {
  if (check == NULL || check->is_good(node->text)) {
    return true;
  }
  char quoted[QUOTE_MAX];
  mistakes_add(loader->mistakes, node->line, node->column, path, "found %s, wanted %s",
               quote_text(node->text, quoted), check->wanted);
  return false;
}

static const char *type_wanted(enum option_type type) {
  switch (type) {
    case OPTION_BOOL:
      return "true or false";
    case OPTION_INT:
      return "a whole number";
    case OPTION_DURATION:
      return "a duration";
    case OPTION_QUANTITY:
      return "a quantity";
    case OPTION_ENUM:
    case OPTION_ENUM_SET:
      return "a name";
    case OPTION_STRING:
    case OPTION_STRINGS:
    default:
      return "a string";
  }
}

static void read_scalar(const struct loader *loader, const struct text_check *check,
                        const struct option *row, void *base, const struct node *node,
                        const struct path *path) {
  struct error error;
  if (!loader_expects(loader, node, NODE_SCALAR, path, type_wanted(row->type)) ||
      !check_quotes(loader, row->type, node, path) || !check_text(loader, check, node, path)) {
    return;
  }
  if (option_set(row, base, node->text, loader->arena, &error) != 0) {
    mistakes_add(loader->mistakes, node->line, node->column, path, "%s", error.text);
  }
}

static void read_list(const struct loader *loader, const struct text_check *check,
                      const struct option *row, void *base, const struct node *node,
                      const struct path *path) {
  if (!loader_expects(loader, node, NODE_LIST, path, "a list")) {
    return;
  }
  option_clear(row, base);
  size_t index = 0;
  for (const struct node *item = node->first; item != NULL; item = item->next) {
    struct path at = {.parent = path, .index = index++};
    if (node_is_null(item)) {
      mistakes_add(loader->mistakes, item->line, item->column, &at, "found null, wanted %s",
                   type_wanted(row->type));
    } else {
      read_scalar(loader, check, row, base, item, &at);
    }
  }
}

void loader_read_option(const struct loader *loader, const char *section, const struct option *row,
                        void *base, const struct node *node, const struct path *path) {
  const struct text_check *check = section == NULL ? NULL : text_check_find(section, row->key);
  if (node_is_null(node)) {
    return;
  }
  if (row->type == OPTION_STRINGS || row->type == OPTION_ENUM_SET) {
    read_list(loader, check, row, base, node, path);
  } else {
    read_scalar(loader, check, row, base, node, path);
  }
}

struct text loader_read_text(const struct loader *loader, const struct text_check *check,
                             const struct node *node, const struct path *path) {
  struct text text = {NULL, 0};
  struct option row = {.key = "", .type = OPTION_STRING};
  read_scalar(loader, check, &row, &text, node, path);
  return text;
}

static void read_by_key(const struct loader *loader, const struct node *key,
                        const struct path *path, const struct option_target *targets,
                        size_t target_count) {
  struct path at = {.parent = path, .key = key->text};
  for (size_t t = 0; t < target_count; t++) {
    for (size_t i = 0; i < targets[t].count; i++) {
      const struct option *row = &targets[t].rows[i];
      if (text_equals(key->text, text_of(row->key))) {
        loader_read_option(loader, targets[t].section, row, targets[t].base, key->next, &at);
        return;
      }
    }
  }
}

void loader_read_options(const struct loader *loader, struct node *mapping, const struct path *path,
                         const struct option_target *targets, size_t target_count) {
  if (!loader_expects(loader, mapping, NODE_MAPPING, path, "a mapping")) {
    return;
  }
  size_t count = 0;
  for (size_t t = 0; t < target_count; t++) {
    count += targets[t].count;
  }
  const char **names = loader_names(loader, count);
  if (names == NULL) {
    return;
  }
  size_t used = 0;
  for (size_t t = 0; t < target_count; t++) {
    for (size_t i = 0; i < targets[t].count; i++) {
      names[used++] = targets[t].rows[i].key;
    }
  }
  loader_check_keys(loader, mapping, path, names, count);
  for (const struct node *key = mapping->first; key != NULL; key = key->next->next) {
    if (key->type == NODE_SCALAR) {
      read_by_key(loader, key, path, targets, target_count);
    }
  }
}
