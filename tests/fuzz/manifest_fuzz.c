// A manifest that is taken is written so that it reads as the same again.

#include <stdlib.h>
#include <string.h>

#include "cli/manifest.h"
#include "tests/fuzz/fuzz.h"

// The document as compact JSON, to be freed.
static char *as_json(const struct manifest *manifest) {
  yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
  yyjson_mut_doc_set_root(doc, manifest_to_json(doc, yyjson_mut_doc_get_root(manifest->doc)));
  char *json = yyjson_mut_write(doc, 0, NULL);
  yyjson_mut_doc_free(doc);
  return json;
}

static void write_and_read(const struct manifest *manifest) {
  struct manifest_list again = {NULL, 0, 0};
  struct error error;
  buffer_auto yaml = {.max = MANIFEST_OUTPUT_MAX};
  FUZZ_REQUIRE(manifest_write_yaml(yyjson_mut_doc_get_root(manifest->doc), &yaml) == 0);
  FUZZ_REQUIRE(manifest_parse("written", (struct text){yaml.data, yaml.len}, &again, &error) ==
               MANIFEST_READ);
  FUZZ_REQUIRE(again.count == 1);
  char *before = as_json(manifest);
  char *after = as_json(&again.items[0]);
  FUZZ_REQUIRE(before == NULL || (after != NULL && strcmp(before, after) == 0));
  free(before);
  free(after);
  manifest_list_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct manifest_list list = {NULL, 0, 0};
  struct error error;
  struct text text = {(const char *)data, size};
  if (manifest_parse("fuzz.yaml", text, &list, &error) == MANIFEST_READ) {
    for (size_t i = 0; i < list.count; i++) {
      write_and_read(&list.items[i]);
    }
  }
  manifest_list_free(&list);
  return 0;
}
