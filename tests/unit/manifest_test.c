// Manifests: what a text means (as Kubernetes reads it), and that writing keeps the meaning.
#include "cli/manifest.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/scalar.h"

static struct manifest_list list;
static struct error error;
static yyjson_doc *table;

static enum manifest_status parse(struct text text) {
  manifest_list_free(&list);
  return manifest_parse("test.yaml", text, &list, &error);
}

// The document as compact JSON, to be freed.
static char *as_json(const struct manifest *manifest) {
  yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
  yyjson_mut_doc_set_root(doc, manifest_to_json(doc, yyjson_mut_doc_get_root(manifest->doc)));
  char *json = yyjson_mut_write(doc, 0, NULL);
  yyjson_mut_doc_free(doc);
  return json;
}

static bool same_json(const char *a, const char *b) {
  yyjson_doc *left = yyjson_read(a, strlen(a), YYJSON_READ_NUMBER_AS_RAW);
  yyjson_doc *right = yyjson_read(b, strlen(b), YYJSON_READ_NUMBER_AS_RAW);
  bool same = yyjson_equals(yyjson_doc_get_root(left), yyjson_doc_get_root(right));
  yyjson_doc_free(left);
  yyjson_doc_free(right);
  return same;
}

// Writes every document of `list` as YAML, reads it again and compares.
static void check_written(const char *what) {
  struct manifest_list again = {NULL, 0, 0};
  for (size_t i = 0; i < list.count; i++) {
    struct buffer yaml = {.max = MANIFEST_OUTPUT_MAX};
    ck_assert_int_eq(manifest_write_yaml(yyjson_mut_doc_get_root(list.items[i].doc), &yaml), 0);
    struct text text = {yaml.data, yaml.len};
    int status = manifest_parse("written", text, &again, &error);
    ck_assert_msg(status == 0, "%s: written as\n%.*s\n%s", what, TEXT_ARG(text), error.text);
    ck_assert_msg(again.count == 1, "%s: written as\n%.*s", what, TEXT_ARG(text));
    char *before = as_json(&list.items[i]);
    char *after = as_json(&again.items[0]);
    ck_assert_msg(strcmp(before, after) == 0, "%s: %s written as\n%.*s read as %s", what, before,
                  TEXT_ARG(text), after);
    free(before);
    free(after);
    buffer_free(&yaml);
    manifest_list_free(&again);
  }
}

// tests/cli/kubernetes_yaml.json holds what kubectl's decoder (apimachinery 0.37.2,
// util/yaml NewYAMLOrJSONDecoder into a RawExtension) makes of each text; null: it refuses it.
START_TEST(test_reads_as_kubernetes) {
  yyjson_val *row = yyjson_arr_get(yyjson_doc_get_root(table), (size_t)_i);
  yyjson_val *yaml = yyjson_obj_get(row, "yaml");
  yyjson_val *wanted = yyjson_obj_get(row, "json");
  const char *shown = yyjson_get_str(yaml);
  enum manifest_status status = parse((struct text){shown, yyjson_get_len(yaml)});
  if (yyjson_is_null(wanted)) {
    ck_assert_msg(status == MANIFEST_INVALID, "%s: accepted", shown);
    ck_assert_msg(strncmp(error.text, "test.yaml:", 10) == 0, "%s: %s", shown, error.text);
    return;
  }
  ck_assert_msg(status == MANIFEST_READ, "%s: %s", shown, error.text);
  ck_assert_msg(list.count == yyjson_arr_size(wanted), "%s: %zu documents", shown, list.count);
  for (size_t i = 0; i < list.count; i++) {
    char *found = as_json(&list.items[i]);
    char *expected = yyjson_val_write(yyjson_arr_get(wanted, i), 0, NULL);
    ck_assert_msg(same_json(found, expected), "%s: read as %s, Kubernetes reads %s", shown, found,
                  expected);
    free(found);
    free(expected);
  }
  check_written(shown);
}
END_TEST

// Strings that a careless writer would change.
static const char *const strings[] = {
    "",
    " ",
    "yes",
    "no",
    "Off",
    "null",
    "~",
    "1",
    "0777",
    "1e3",
    "1_000",
    ".5",
    "0x1F",
    "2001-01-01",
    "12:30:45",
    "=",
    "<<",
    "- a",
    "a: b",
    "a #b",
    "#a",
    "*a",
    "&a",
    "!a",
    "%a",
    "@a",
    "`a",
    "|",
    ">",
    "{",
    "[a]",
    "a,b",
    "'",
    "\"",
    "\\",
    "a\\nb",
    " a",
    "a ",
    "a\tb",
    "\ta",
    "a\t",
    "\n",
    "\n\n",
    "a\n",
    "a\n\n",
    "a\n\n\n",
    "\na",
    "a\nb",
    "a\nb\n",
    " a\nb\n",
    "a\n b\n",
    "a\n\tb\n",
    "a \nb\n",
    "a\n \nb\n",
    "a\n\n  b\n",
    "a\r\nb\r\n",
    "a\rb",
    "---",
    "--- a",
    "a\n---\nb\n",
    "...",
    "...\na\n",
    "a\n...\n",
    "? a",
    "-",
    ":",
    "a:",
    ":a",
    "?",
    "\x01",
    "\x7f",
    "\x1b[0m",
    "\xC2\x85",
    "a\xC2\x85\nb\n",
    "\xE2\x80\xA8",
    "a\n\xE2\x80\xA9\n",
    "\xEF\xBB\xBF",
    "a\n\xEF\xBB\xBF",
    "\xC3\xA9",
    "\xF0\x9F\x98\x80",
    "a\n\xF0\x9F\x98\x80\n",
    "\xEF\xBF\xBF",
    "\xC2\xA0",
    "\xC2\x80",
    "a b  c",
    "#!/bin/sh\nset -eu\nif true; then\n\techo \"x\"\nfi\n",
    "y",
    "N",
    "1.",
    "+1",
    "-0",
    "1:2",
    "0o17",
    ".inf",
    ".NaN",
    "true",
    "False",
    "NULL",
    "a\n#b\n",
    "a\n# b",
    "# a\nb\n",
    "- a\n- b\n",
    "a: b\nc: d\n",
    "key: |\n  x\n",
    "\"a\"\n",
    "a\n\n\n\nb",
    "a\n \n",
    "a\n ",
    "  \n",
};

START_TEST(test_strings_survive) {
  struct text string = text_of(strings[_i]);
  yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
  yyjson_mut_val *root = yyjson_mut_obj(doc);
  yyjson_mut_val *items = yyjson_mut_arr(doc);
  yyjson_mut_doc_set_root(doc, root);
  yyjson_mut_arr_append(items, yyjson_mut_strncpy(doc, string.data, string.len));
  yyjson_mut_arr_append(items, yyjson_mut_strncpy(doc, string.data, string.len));
  yyjson_mut_obj_add(root, yyjson_mut_str(doc, "first"),
                     yyjson_mut_strncpy(doc, string.data, string.len));
  yyjson_mut_obj_add(root, yyjson_mut_str(doc, "items"), items);
  yyjson_mut_obj_add(root, yyjson_mut_strncpy(doc, string.data, string.len),
                     yyjson_mut_strncpy(doc, string.data, string.len));
  ck_assert_int_eq(
      manifest_list_add(&list, (struct manifest){.file = "test", .line = 1, .doc = doc}, &error),
      0);
  check_written(strings[_i]);
}
END_TEST

START_TEST(test_nul_survives) {
  yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
  yyjson_mut_val *root = yyjson_mut_obj(doc);
  yyjson_mut_doc_set_root(doc, root);
  yyjson_mut_obj_add(root, yyjson_mut_strncpy(doc, "a\0b", 3), yyjson_mut_strncpy(doc, "\0", 1));
  ck_assert_int_eq(
      manifest_list_add(&list, (struct manifest){.file = "test", .line = 1, .doc = doc}, &error),
      0);
  check_written("NUL");
}
END_TEST

START_TEST(test_spelling_is_kept) {
  static const char yaml[] =
      "mode: 0644\nready: yes\nnone: ~\nempty:\nhalf: .5\nname: \"0644\"\nlist: []\nmap: {}\n";
  static const char written[] =
      "mode: 0644\nready: yes\nnone: ~\nempty: null\nhalf: .5\nname: \"0644\"\nlist: []\nmap: {}\n";
  ck_assert_int_eq(parse(TEXT(yaml)), MANIFEST_READ);
  struct buffer out = {.max = MANIFEST_OUTPUT_MAX};
  ck_assert_int_eq(manifest_write_yaml(yyjson_mut_doc_get_root(list.items[0].doc), &out), 0);
  ck_assert_msg(text_equals((struct text){out.data, out.len}, TEXT(written)), "%.*s", (int)out.len,
                out.data);
  buffer_free(&out);
}
END_TEST

START_TEST(test_script_is_a_block) {
  ck_assert_int_eq(parse(TEXT("args: [\"set -eu\\nexec ray start\\n\"]")), MANIFEST_READ);
  struct buffer out = {.max = MANIFEST_OUTPUT_MAX};
  ck_assert_int_eq(manifest_write_yaml(yyjson_mut_doc_get_root(list.items[0].doc), &out), 0);
  ck_assert_msg(text_equals((struct text){out.data, out.len},
                            TEXT("args:\n- |\n  set -eu\n  exec ray start\n")),
                "%.*s", (int)out.len, out.data);
  buffer_free(&out);
}
END_TEST

struct refusal {
  struct text text;
  const char *message;
};

static const struct refusal refusals[] = {
    {{"a: 1\n\tb: 2\n", 11}, "test.yaml:2:1: found a tab character that violates indentation"},
    {{"a: \xFF\n", 6}, "test.yaml:1:4: invalid leading UTF-8 octet"},
    {{"a: 1\nb: \xC3(\n", 11}, "test.yaml:2:5: invalid trailing UTF-8 octet"},
    {{"a: [1, 2\n", 9}, "test.yaml:2:1: did not find expected ',' or ']'"},
    {{"hello\n", 6}, "test.yaml:1:1: found a string; a manifest is an object"},
    {{"a: 1\n---\n- b\n", 13}, "test.yaml:2:1: found a list; a manifest is an object"},
    {{"a: *b\n", 6}, "test.yaml:1:4: no anchor of this name before the alias"},
    {{"a: &b [*b]\n", 11}, "test.yaml:1:8: the anchor contains this alias itself"},
    {{"? [a]\n: b\n", 10}, "test.yaml:1:3: a mapping key must be a string"},
    {{"a: .inf\n", 8}, "test.yaml:1:4: .inf: JSON and Kubernetes have no such number"},
    {{"a: !!int x\n", 11}, "test.yaml:1:4: \"x\" is not what !!int says"},
    {{"a: {<<: 1}\n", 11}, "test.yaml:1:9: the value of << must be a mapping"},
    {{"a: !!binary \"/w==\"\n", 19}, "test.yaml:1:4: !!binary must be base64 of UTF-8 text"},
    {{"a: !!binary \"a\"\n", 16}, "test.yaml:1:4: !!binary must be base64 of UTF-8 text"},
};

START_TEST(test_refuses) {
  const struct refusal *refusal = &refusals[_i];
  ck_assert_int_eq(parse(refusal->text), MANIFEST_INVALID);
  ck_assert_msg(strncmp(error.text, refusal->message, strlen(refusal->message)) == 0,
                "found:  %s\nwanted: %s", error.text, refusal->message);
}
END_TEST

START_TEST(test_json_stream) {
  ck_assert_int_eq(
      parse(TEXT("\xEF\xBB\xBF {\"a\": 1e3} {\"b\":\t0.10}\n\n---\n{\"a\":1,\"b\":2,\"a\":3}\n\n")),
      MANIFEST_READ);
  ck_assert_uint_eq(list.count, 3);
  ck_assert_uint_eq(list.items[0].line, 1);
  ck_assert_uint_eq(list.items[2].line, 4);
  char *last = as_json(&list.items[2]);
  ck_assert_str_eq(last, "{\"a\":3,\"b\":2}");
  free(last);
  struct buffer out = {.max = MANIFEST_OUTPUT_MAX};
  ck_assert_int_eq(manifest_write_yaml(yyjson_mut_doc_get_root(list.items[1].doc), &out), 0);
  ck_assert_msg(text_equals((struct text){out.data, out.len}, TEXT("b: 0.10\n")), "%.*s",
                (int)out.len, out.data);
  buffer_free(&out);
}
END_TEST

START_TEST(test_json_error_has_a_place) {
  manifest_list_free(&list);
  ck_assert_int_eq(manifest_parse("x.json", TEXT("{\"a\": 1,\n  \"b\": tru}}"), &list, &error),
                   MANIFEST_INVALID);
  ck_assert_msg(strncmp(error.text, "x.json:2:8: ", 12) == 0, "%s", error.text);
}
END_TEST

START_TEST(test_nothing_in_it) {
  static const char *const texts[] = {"",       "\n\n", "# only\n",     "---\n", "---\n---\n# x\n",
                                      "null\n", "~",    "\xEF\xBB\xBF", " "};
  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
    ck_assert_msg(parse(text_of(texts[i])) == MANIFEST_READ, "\"%s\": %s", texts[i], error.text);
    ck_assert_uint_eq(list.count, 0);
  }
}
END_TEST

// `times` times `open`, then `times` times `close`, behind `start`.
static struct text nested(const char *start, const char *open, const char *close, size_t times) {
  struct buffer out = {.max = MANIFEST_BYTES_MAX};
  buffer_append_text(&out, text_of(start));
  for (size_t i = 0; i < times; i++) {
    buffer_append_text(&out, text_of(open));
  }
  for (size_t i = 0; i < times; i++) {
    buffer_append_text(&out, text_of(close));
  }
  return (struct text){out.data, out.len};
}

START_TEST(test_depth_is_bounded) {
  static const struct {
    const char *start;
    const char *open;
    const char *close;
  } shapes[] = {{"a: ", "[", "]"}, {"", "{\"a\":", "1}"}, {"a: ", "{b: ", "}"}};
  for (size_t i = 0; i < 3; i++) {
    // In the second shape the innermost value is broken JSON, but depth is what YAML reports.
    struct text deep = nested(shapes[i].start, shapes[i].open, shapes[i].close, 20000);
    ck_assert_int_eq(parse(deep), MANIFEST_INVALID);
    ck_assert_msg(strstr(error.text, "nested too deeply") != NULL, "%s", error.text);
    free((void *)(uintptr_t)deep.data);
  }
  struct text fine = nested("a: ", "[", "]", MANIFEST_DEPTH_MAX - 1);
  ck_assert_msg(parse(fine) == MANIFEST_READ, "%s", error.text);
  check_written("deep");
  free((void *)(uintptr_t)fine.data);
}
END_TEST

START_TEST(test_deep_json_is_refused) {
  struct text open = nested("{\"a\":", "[", "]", MANIFEST_DEPTH_MAX);
  struct buffer whole = {.max = MANIFEST_BYTES_MAX};
  buffer_append_text(&whole, open);
  buffer_append(&whole, "}", 1);
  ck_assert_int_eq(parse((struct text){whole.data, whole.len}), MANIFEST_INVALID);
  ck_assert_msg(strstr(error.text, "nested") != NULL, "%s", error.text);
  buffer_free(&whole);
  free((void *)(uintptr_t)open.data);
}
END_TEST

START_TEST(test_alias_bomb) {
  struct buffer bomb = {.max = MANIFEST_BYTES_MAX};
  buffer_printf(&bomb, "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
  for (int i = 1; i < 12; i++) {
    buffer_printf(&bomb, "a%d: &a%d [", i, i);
    for (int k = 0; k < 10; k++) {
      buffer_printf(&bomb, "%s*a%d", k == 0 ? "" : ", ", i - 1);
    }
    buffer_printf(&bomb, "]\n");
  }
  ck_assert_int_eq(parse((struct text){bomb.data, bomb.len}), MANIFEST_INVALID);
  ck_assert_msg(strstr(error.text, "aliases make this document too large") != NULL, "%s",
                error.text);
  buffer_free(&bomb);
}
END_TEST

START_TEST(test_alias_of_long_string) {
  struct buffer bomb = {.max = MANIFEST_BYTES_MAX};
  buffer_printf(&bomb, "a: &a %01000000d\nb:\n", 7);
  for (int i = 0; i < 100; i++) {
    buffer_printf(&bomb, "- *a\n");
  }
  ck_assert_int_eq(parse((struct text){bomb.data, bomb.len}), MANIFEST_INVALID);
  ck_assert_msg(strstr(error.text, "aliases make") != NULL, "%s", error.text);
  buffer_free(&bomb);
}
END_TEST

START_TEST(test_too_many_anchors) {
  struct buffer out = {.max = MANIFEST_BYTES_MAX};
  for (size_t i = 0; i <= MANIFEST_ANCHORS_MAX; i++) {
    buffer_printf(&out, "a%zu: &a%zu x\n", i, i);
  }
  ck_assert_int_eq(parse((struct text){out.data, out.len}), MANIFEST_INVALID);
  ck_assert_msg(strstr(error.text, "too many anchors") != NULL, "%s", error.text);
  buffer_free(&out);
}
END_TEST

START_TEST(test_too_many_documents) {
  struct buffer out = {.max = MANIFEST_BYTES_MAX};
  for (size_t i = 0; i <= MANIFEST_DOCUMENTS_MAX; i++) {
    buffer_printf(&out, "{}");
  }
  ck_assert_int_eq(manifest_parse("x.json", (struct text){out.data, out.len}, &list, &error),
                   MANIFEST_INVALID);
  manifest_list_free(&list);
  buffer_free(&out);
}
END_TEST

START_TEST(test_too_large) {
  char *bytes = calloc(1, MANIFEST_BYTES_MAX + 1);
  ck_assert_int_eq(parse((struct text){bytes, MANIFEST_BYTES_MAX + 1}), MANIFEST_INVALID);
  ck_assert_str_eq(error.text, "test.yaml: larger than 64 MiB");
  free(bytes);
}
END_TEST

// Of many keys the duplicates are found by sorting, and the order stays.
START_TEST(test_many_duplicates) {
  struct buffer out = {.max = MANIFEST_BYTES_MAX};
  for (int round = 0; round < 3; round++) {
    for (int i = 0; i < 20000; i++) {
      buffer_printf(&out, "k%d: %d\n", i, i + round);
    }
  }
  ck_assert_msg(parse((struct text){out.data, out.len}) == MANIFEST_READ, "%s", error.text);
  yyjson_mut_val *root = yyjson_mut_doc_get_root(list.items[0].doc);
  ck_assert_uint_eq(yyjson_mut_obj_size(root), 20000);
  yyjson_mut_obj_iter iter = yyjson_mut_obj_iter_with(root);
  yyjson_mut_val *key = yyjson_mut_obj_iter_next(&iter);
  ck_assert_str_eq(yyjson_mut_get_str(key), "k0");
  ck_assert_str_eq(yyjson_mut_get_raw(yyjson_mut_obj_iter_get_val(key)), "2");
  buffer_free(&out);
}
END_TEST

static const char corpus[] =
    "%YAML 1.1\n---\n# c\napiVersion: v1\nkind: Pod\n"
    "metadata: &m {name: x, labels: {a: 'b', \"c\": yes}}\n"
    "spec:\n  containers:\n  - name: a\n    args:\n    - |\n      set -eu\n      echo \"hi\"\n"
    "    - >-\n      folded\n      text\n    - \"q\\u00e9\\n\"\n"
    "    ports: [{containerPort: 0x1F}, 1e3, ~, 0777]\n"
    "  other: *m\n  merged:\n    <<: *m\n    name: z\n...\n"
    "---\n{\"a\": [1, 2.50, {}], \"b\": \"\\u00e9\"}\n";

// Texts one step from good ones: never a crash, and whatever is accepted survives writing.
START_TEST(test_random_mutations) {
  static const char pieces[] = "\n -:?[]{},&*!|>'\"%@`#~\t0123abcxyz<<=.\\\xC2\x85\xE2\x80\xA8\r";
  unsigned state = 12345;
  char text[sizeof corpus];
  for (int round = 0; round < 4000; round++) {
    size_t len = sizeof corpus - 1;
    memcpy(text, corpus, len);
    for (int change = 0; change < 1 + round % 5; change++) {
      state = state * 1103515245U + 12345U;
      size_t at = (state >> 8) % len;
      state = state * 1103515245U + 12345U;
      text[at] = pieces[(state >> 8) % (sizeof pieces - 1)];
    }
    state = state * 1103515245U + 12345U;
    if (round % 3 == 0) {
      len = (state >> 8) % len;
    }
    if (parse((struct text){text, len}) == MANIFEST_READ) {
      check_written("mutation");
    }
  }
}
END_TEST

START_TEST(test_scalar_needs_quotes) {
  ck_assert(scalar_needs_quotes(TEXT("on")));
  ck_assert(scalar_needs_quotes(TEXT("1:30")));
  ck_assert(scalar_needs_quotes(TEXT("2001-01-01")));
  ck_assert(!scalar_needs_quotes(TEXT("10.0.0.1")));
  ck_assert(!scalar_needs_quotes(TEXT("rayproject/ray:2.46.0")));
  ck_assert(!scalar_needs_quotes(TEXT("onward")));
}
END_TEST

static void clean(void) {
  manifest_list_free(&list);
}

#define COUNT(array) (int)(sizeof(array) / sizeof((array)[0]))

static Suite *suite(int table_rows) {
  Suite *all = suite_create("manifest");
  TCase *cases = tcase_create("manifest");
  tcase_set_timeout(cases, 120);
  tcase_add_checked_fixture(cases, NULL, clean);
  tcase_add_loop_test(cases, test_reads_as_kubernetes, 0, table_rows);
  tcase_add_loop_test(cases, test_strings_survive, 0, COUNT(strings));
  tcase_add_loop_test(cases, test_refuses, 0, COUNT(refusals));
  tcase_add_test(cases, test_nul_survives);
  tcase_add_test(cases, test_spelling_is_kept);
  tcase_add_test(cases, test_script_is_a_block);
  tcase_add_test(cases, test_json_stream);
  tcase_add_test(cases, test_json_error_has_a_place);
  tcase_add_test(cases, test_nothing_in_it);
  tcase_add_test(cases, test_depth_is_bounded);
  tcase_add_test(cases, test_deep_json_is_refused);
  tcase_add_test(cases, test_alias_bomb);
  tcase_add_test(cases, test_alias_of_long_string);
  tcase_add_test(cases, test_too_many_anchors);
  tcase_add_test(cases, test_too_many_documents);
  tcase_add_test(cases, test_too_large);
  tcase_add_test(cases, test_many_duplicates);
  tcase_add_test(cases, test_random_mutations);
  tcase_add_test(cases, test_scalar_needs_quotes);
  suite_add_tcase(all, cases);
  return all;
}

int main(void) {
  char path[] = SOURCE_DIR "/tests/cli/kubernetes_yaml.json";
  table = yyjson_read_file(path, YYJSON_READ_NUMBER_AS_RAW, NULL, NULL);
  if (table == NULL) {
    fprintf(stderr, "%s: cannot be read\n", path);
    return 1;
  }
  SRunner *runner = srunner_create(suite((int)yyjson_arr_size(yyjson_doc_get_root(table))));
  srunner_set_fork_status(runner, CK_NOFORK);
  srunner_run_all(runner, CK_NORMAL);
  int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  yyjson_doc_free(table);
  return failed == 0 ? 0 : 1;
}
