#include "tests/rules/values.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admission/json.h"

struct text owned_view(struct owned_text text) {
  return (struct text){text.data, text.len};
}

struct owned_text values_try_file(const char *path) {
  FILE *file = fopen(path, "rb");
  if (file == NULL) {
    return (struct owned_text){NULL, 0};
  }
  struct owned_text content = {NULL, 0};
  size_t read = 0;
  do {
    char *grown = realloc(content.data, content.len + 65537);
    ck_assert_ptr_nonnull(grown);
    content.data = grown;
    read = fread(content.data + content.len, 1, 65536, file);
    content.len += read;
  } while (read > 0);
  content.data[content.len] = '\0';
  fclose(file);
  return content;
}

struct owned_text values_read_file(const char *path) {
  struct owned_text content = values_try_file(path);
  ck_assert_msg(content.data != NULL, "%s: %s", path, strerror(errno));
  return content;
}

yyjson_doc *values_parse(struct text json, const char *what) {
  yyjson_read_err error;
  char *input = (char *)(uintptr_t)json.data;
  yyjson_doc *doc = yyjson_read_opts(input, json.len, JSON_READ_FLAGS, NULL, &error);
  ck_assert_msg(doc != NULL, "%s: %s at byte %zu", what, error.msg, error.pos);
  return doc;
}

struct owned_text values_write(yyjson_val *value) {
  struct owned_text text;
  text.data = yyjson_val_write(value, 0, &text.len);
  ck_assert_ptr_nonnull(text.data);
  return text;
}

struct owned_text values_change(yyjson_val *object, yyjson_val *merge, yyjson_val *edit,
                                const char *what) {
  yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
  yyjson_mut_val *value =
      merge == NULL ? yyjson_val_mut_copy(doc, object) : yyjson_merge_patch(doc, object, merge);
  ck_assert_msg(value != NULL, "%s: the merge patch does not apply", what);
  if (edit != NULL) {
    yyjson_patch_err error;
    value = yyjson_mut_patch(doc, value, yyjson_val_mut_copy(doc, edit), &error);
    ck_assert_msg(value != NULL, "%s: edit %zu: %s", what, error.idx, error.msg);
  }
  struct owned_text text;
  text.data = yyjson_mut_val_write(value, 0, &text.len);
  ck_assert_ptr_nonnull(text.data);
  yyjson_mut_doc_free(doc);
  return text;
}

struct owned_text values_apply(struct text object, struct text operations) {
  yyjson_doc *original = values_parse(object, "object");
  yyjson_doc *patch = values_parse(operations, "patch");
  yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
  yyjson_patch_err error;
  yyjson_mut_val *value =
      yyjson_patch(doc, yyjson_doc_get_root(original), yyjson_doc_get_root(patch), &error);
  struct owned_text text = {NULL, 0};
  if (value != NULL) {
    text.data = yyjson_mut_val_write(value, 0, &text.len);
  }
  yyjson_mut_doc_free(doc);
  yyjson_doc_free(patch);
  yyjson_doc_free(original);
  return text;
}
