#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yyjson.h>

#include "admission/config_options.h"
#include "admission/option_text.h"
#include "server/configuration_tables.h"

// JSON Schema, draft 2020-12, of the file, so that editors help while it is written. It says what
// one value may be; what needs two values (configuration_check) and ranges of quantities and
// durations, which are texts, are in descriptions or left to `rayfix config check`.

typedef yyjson_mut_val value;

static const char duration_pattern[] =
    "^\\+?(0|([0-9]+(\\.[0-9]*)?|\\.[0-9]+)(ns|us|µs|μs|ms|s|m|h)"
    "(([0-9]+(\\.[0-9]*)?|\\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))*)$";
static const char quantity_pattern[] =
    "^[+-]?([0-9]+(\\.[0-9]*)?|\\.[0-9]+)([KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]+)?$";

// Members are added by these, which take NULL: a failure shows in the end, when the whole is
// written (yyjson's own functions all take NULL too).
static void put(yyjson_mut_doc *doc, value *object, const char *key, value *member) {
  yyjson_mut_obj_add(object, yyjson_mut_strcpy(doc, key), member);
}

static void put_text(yyjson_mut_doc *doc, value *object, const char *key, const char *text) {
  put(doc, object, key, yyjson_mut_strcpy(doc, text));
}

static value *type_object(yyjson_mut_doc *doc, const char *type) {
  value *object = yyjson_mut_obj(doc);
  put_text(doc, object, "type", type);
  return object;
}

static value *names_schema(yyjson_mut_doc *doc, const struct option *row) {
  value *object = yyjson_mut_obj(doc);
  value *names = yyjson_mut_arr(doc);
  for (size_t i = 0; row->names[i] != NULL; i++) {
    yyjson_mut_arr_append(names, yyjson_mut_strcpy(doc, row->names[i]));
  }
  put(doc, object, "enum", names);
  return object;
}

static value *text_schema(yyjson_mut_doc *doc, const struct text_check *check) {
  value *object = type_object(doc, "string");
  if (check != NULL) {
    put_text(doc, object, "pattern", check->pattern);
  }
  return object;
}

static value *list_schema(yyjson_mut_doc *doc, value *items) {
  value *object = type_object(doc, "array");
  put(doc, object, "items", items);
  return object;
}

static value *int_schema(yyjson_mut_doc *doc, const struct option *row) {
  value *object = type_object(doc, "integer");
  if (option_has_range(row)) {
    put(doc, object, "minimum", yyjson_mut_sint(doc, row->min));
    put(doc, object, "maximum", yyjson_mut_sint(doc, row->max));
  }
  return object;
}

// A quantity without a suffix may be a plain number, as in a pod.
static value *quantity_schema(yyjson_mut_doc *doc) {
  value *object = yyjson_mut_obj(doc);
  value *types = yyjson_mut_arr(doc);
  yyjson_mut_arr_append(types, yyjson_mut_str(doc, "string"));
  yyjson_mut_arr_append(types, yyjson_mut_str(doc, "number"));
  put(doc, object, "type", types);
  put_text(doc, object, "pattern", quantity_pattern);
  return object;
}

static value *value_schema(yyjson_mut_doc *doc, const struct option *row,
                           const struct text_check *check) {
  switch (row->type) {
    case OPTION_BOOL:
      return type_object(doc, "boolean");
    case OPTION_INT:
      return int_schema(doc, row);
    case OPTION_DURATION: {
      value *object = type_object(doc, "string");
      put_text(doc, object, "pattern", duration_pattern);
      return object;
    }
    case OPTION_QUANTITY:
      return quantity_schema(doc);
    case OPTION_ENUM:
      return names_schema(doc, row);
    case OPTION_ENUM_SET:
      return list_schema(doc, names_schema(doc, row));
    case OPTION_STRINGS:
      return list_schema(doc, text_schema(doc, check));
    case OPTION_STRING:
    default:
      return text_schema(doc, check);
  }
}

// The default, as it would stand in a JSON configuration.
static value *default_value(yyjson_mut_doc *doc, const struct option *row, const void *base) {
  const void *at = (const char *)base + row->offset;
  if (row->type == OPTION_BOOL) {
    return yyjson_mut_bool(doc, *(const bool *)at);
  }
  if (row->type == OPTION_INT) {
    return yyjson_mut_sint(doc, *(const int64_t *)at);
  }
  if (row->type == OPTION_ENUM_SET || row->type == OPTION_STRINGS) {
    value *list = yyjson_mut_arr(doc);
    struct text rest = text_of(row->fallback);
    while (rest.len > 0) {
      size_t end = text_find(rest, TEXT(", "), 0);
      yyjson_mut_arr_append(list, yyjson_mut_strncpy(doc, rest.data, end));
      rest = text_slice(rest, end + 2, rest.len);
    }
    return list;
  }
  // Names are read from the struct: rules differ in their default mode, which no row can say.
  const char *text = row->type == OPTION_ENUM ? row->names[*(const int *)at] : row->fallback;
  return yyjson_mut_strcpy(doc, text);
}

static value *option_schema(yyjson_mut_doc *doc, const char *section, const struct option *row,
                            const void *base) {
  const struct text_check *check = section == NULL ? NULL : text_check_find(section, row->key);
  value *object = value_schema(doc, row, check);
  char range[OPTION_RANGE_TEXT_MAX];
  option_range_text(row, range);
  buffer_auto description = {.max = 4096};
  buffer_printf(&description, "%s", row->help == NULL ? row->key : row->help);
  if (range[0] != '\0') {
    buffer_printf(&description, "; %s", range);
  }
  put(doc, object, "description", yyjson_mut_strncpy(doc, description.data, description.len));
  put(doc, object, "default", default_value(doc, row, base));
  return object;
}

// An object that may hold nothing but its properties. The properties are returned to be filled.
static value *closed_object(yyjson_mut_doc *doc, const char *description, value **ret_properties) {
  value *object = type_object(doc, "object");
  *ret_properties = yyjson_mut_obj(doc);
  put_text(doc, object, "description", description);
  put(doc, object, "properties", *ret_properties);
  put(doc, object, "additionalProperties", yyjson_mut_false(doc));
  return object;
}

static void put_options(yyjson_mut_doc *doc, value *properties, const char *section,
                        const struct option *rows, size_t count, const void *base) {
  for (size_t i = 0; i < count; i++) {
    put(doc, properties, rows[i].key, option_schema(doc, section, &rows[i], base));
  }
}

static value *rules_schema(yyjson_mut_doc *doc, const struct rule_table *table,
                           const struct ruleset *rules) {
  value *properties = NULL;
  value *object = closed_object(doc, table->help, &properties);
  for (size_t i = 0; i < table->count(); i++) {
    struct rule_row row = table->row(i);
    const struct rule_setting *setting = &table->settings(rules)[i];
    value *options = NULL;
    value *rule = closed_object(doc, row.summary, &options);
    put_options(doc, options, NULL, table->setting_rows, row.setting_count, setting);
    put_options(doc, options, NULL, row.options, row.option_count, setting->options);
    put(doc, properties, row.name, rule);
  }
  return object;
}

static value *reference(yyjson_mut_doc *doc, const char *name) {
  char pointer[64];
  snprintf(pointer, sizeof pointer, "#/$defs/%s", name);
  value *object = yyjson_mut_obj(doc);
  put_text(doc, object, "$ref", pointer);
  return object;
}

static value *constant(yyjson_mut_doc *doc, const char *text) {
  value *object = yyjson_mut_obj(doc);
  put_text(doc, object, "const", text);
  return object;
}

static value *required(yyjson_mut_doc *doc, const char *first, const char *second) {
  value *list = yyjson_mut_arr(doc);
  yyjson_mut_arr_append(list, yyjson_mut_strcpy(doc, first));
  if (second != NULL) {
    yyjson_mut_arr_append(list, yyjson_mut_strcpy(doc, second));
  }
  return list;
}

static value *namespaces_schema(yyjson_mut_doc *doc) {
  value *properties = NULL;
  value *item = closed_object(doc, "Settings for the namespaces that match", &properties);
  put(doc, properties, "match", text_schema(doc, text_check_find("namespaces", "match")));
  for (size_t i = 0; i < rule_table_count; i++) {
    put(doc, properties, rule_tables[i].key, reference(doc, rule_tables[i].key));
  }
  put(doc, item, "required", required(doc, "match", NULL));
  value *list = list_schema(doc, item);
  put(doc, list, "maxItems", yyjson_mut_sint(doc, NAMESPACE_OVERRIDES_MAX));
  put_text(doc, list, "description",
           "Overrides by namespace; the last one that matches wins, alone");
  return list;
}

static void put_sections(yyjson_mut_doc *doc, value *properties,
                         const struct configuration *defaults) {
  for (size_t i = 0; i < settings_section_count; i++) {
    const struct settings_section *section = &settings_sections[i];
    value *options = NULL;
    put(doc, properties, section->key, closed_object(doc, section->help, &options));
    put_options(doc, options, section->key, section->options, section->option_count,
                (const char *)&defaults->settings + section->offset);
  }
}

static value *root_schema(yyjson_mut_doc *doc, const struct configuration *defaults) {
  const struct admission_config *config = defaults->admission;
  value *properties = NULL;
  value *definitions = yyjson_mut_obj(doc);
  value *root = closed_object(doc, "Configuration of the admission webhook rayfix", &properties);
  put_text(doc, root, "$schema", "https://json-schema.org/draft/2020-12/schema");
  put_text(doc, root, "title", "rayfix " CONFIGURATION_KIND " " CONFIGURATION_API_VERSION);
  put(doc, root, "required", required(doc, "apiVersion", "kind"));
  put(doc, properties, "apiVersion", constant(doc, CONFIGURATION_API_VERSION));
  put(doc, properties, "kind", constant(doc, CONFIGURATION_KIND));
  put_sections(doc, properties, defaults);
  for (size_t i = 0; i < rule_table_count; i++) {
    put(doc, definitions, rule_tables[i].key, rules_schema(doc, &rule_tables[i], &config->rules));
    put(doc, properties, rule_tables[i].key, reference(doc, rule_tables[i].key));
  }
  put(doc, properties, "namespaces", namespaces_schema(doc));
  value *exempt = NULL;
  put(doc, properties, "exempt", closed_object(doc, "What is allowed without a look", &exempt));
  put_options(doc, exempt, "exempt", exempt_options, exempt_option_count, config);
  put_options(doc, properties, "", admission_options, admission_option_count, config);
  put(doc, root, "$defs", definitions);
  return root;
}

void configuration_print_schema(struct buffer *out) {
  buffer_auto mistakes = {.max = 0};
  bool unreadable = false;
  struct configuration *defaults = configuration_load(NULL, &mistakes, &unreadable);
  yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
  char *text = NULL;
  size_t len = 0;
  if (defaults != NULL && doc != NULL) {
    yyjson_mut_doc_set_root(doc, root_schema(doc, defaults));
    text = yyjson_mut_write(doc, YYJSON_WRITE_PRETTY_TWO_SPACES, &len);
  }
  if (text != NULL) {
    buffer_append(out, text, len);
    buffer_append(out, "\n", 1);
  } else {
    out->failed = true;  // memory is short
  }
  free(text);
  yyjson_mut_doc_free(doc);
  configuration_free(defaults);
}
