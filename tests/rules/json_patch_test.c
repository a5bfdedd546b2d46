#include "tests/rules/json_patch.h"

#include <check.h>
#include <stdlib.h>

#include "tests/unit/suite.h"

// The examples of RFC 6902 appendix A that concern add, remove, replace and test, and what must
// not apply. NULL: must be refused.
static const struct {
  const char *document;
  const char *operations;
  const char *result;
} cases[] = {
    {"{\"foo\":\"bar\"}", "[{\"op\":\"add\",\"path\":\"/baz\",\"value\":\"qux\"}]",
     "{\"baz\":\"qux\",\"foo\":\"bar\"}"},
    {"{\"foo\":[\"bar\",\"baz\"]}", "[{\"op\":\"add\",\"path\":\"/foo/1\",\"value\":\"qux\"}]",
     "{\"foo\":[\"bar\",\"qux\",\"baz\"]}"},
    {"{\"baz\":\"qux\",\"foo\":\"bar\"}", "[{\"op\":\"remove\",\"path\":\"/baz\"}]",
     "{\"foo\":\"bar\"}"},
    {"{\"foo\":[\"bar\",\"qux\",\"baz\"]}", "[{\"op\":\"remove\",\"path\":\"/foo/1\"}]",
     "{\"foo\":[\"bar\",\"baz\"]}"},
    {"{\"baz\":\"qux\"}", "[{\"op\":\"replace\",\"path\":\"/baz\",\"value\":\"boo\"}]",
     "{\"baz\":\"boo\"}"},
    {"{\"a\":[1,2]}", "[{\"op\":\"test\",\"path\":\"/a/1\",\"value\":2}]", "{\"a\":[1,2]}"},
    {"{\"a\":[1,2]}", "[{\"op\":\"test\",\"path\":\"/a/1\",\"value\":\"2\"}]", NULL},
    {"{\"foo\":\"bar\"}", "[{\"op\":\"add\",\"path\":\"/child\",\"value\":{\"grandchild\":{}}}]",
     "{\"foo\":\"bar\",\"child\":{\"grandchild\":{}}}"},
    {"{\"foo\":\"bar\"}", "[{\"op\":\"add\",\"path\":\"/baz/bat\",\"value\":\"qux\"}]", NULL},
    {"{\"/\":9,\"~1\":10}", "[{\"op\":\"test\",\"path\":\"/~01\",\"value\":10}]",
     "{\"/\":9,\"~1\":10}"},
    {"{\"a\":{}}", "[{\"op\":\"add\",\"path\":\"/a/x~1y\",\"value\":1}]", "{\"a\":{\"x/y\":1}}"},
    {"{\"foo\":[\"bar\"]}", "[{\"op\":\"add\",\"path\":\"/foo/-\",\"value\":[\"abc\"]}]",
     "{\"foo\":[\"bar\",[\"abc\"]]}"},
    {"{\"a\":[1]}", "[{\"op\":\"add\",\"path\":\"/a/2\",\"value\":3}]", NULL},
    {"{\"a\":[1]}", "[{\"op\":\"add\",\"path\":\"/a/01\",\"value\":3}]", NULL},
    {"{\"a\":[1]}", "[{\"op\":\"replace\",\"path\":\"/a/-\",\"value\":3}]", NULL},
    {"{\"a\":1}", "[{\"op\":\"replace\",\"path\":\"/b\",\"value\":3}]", NULL},
    {"{\"a\":1}", "[{\"op\":\"remove\",\"path\":\"/b\"}]", NULL},
    {"{\"a\":1}", "[{\"op\":\"add\",\"path\":\"/a/b\",\"value\":3}]", NULL},
    {"{\"a\":1}", "[{\"op\":\"add\",\"path\":\"b\",\"value\":3}]", NULL},
    {"{\"a\":1}", "[{\"op\":\"add\",\"path\":\"/b\"}]", NULL},
    {"{\"a\":1}", "[{\"op\":\"add\",\"path\":\"/b~2\",\"value\":3}]", NULL},
    {"{\"a\":1}", "[{\"op\":\"merge\",\"path\":\"/b\",\"value\":3}]", NULL},
    {"{\"a\":1}", "{\"op\":\"add\",\"path\":\"/b\",\"value\":3}", NULL},
};

START_TEST(applies_as_the_rfc_says) {
  struct error error = {""};
  json_t *document = json_loads(cases[_i].document, 0, NULL);
  json_t *operations = json_loads(cases[_i].operations, 0, NULL);
  json_t *result = json_patch_apply(document, operations, &error);
  if (cases[_i].result == NULL) {
    ck_assert_ptr_null(result);
    ck_assert_str_ne(error.text, "");
  } else {
    ck_assert_msg(result != NULL, "%s", error.text);
    json_t *wanted = json_loads(cases[_i].result, 0, NULL);
    ck_assert(json_equal(result, wanted));
    json_decref(wanted);
  }
  json_decref(result);
  json_decref(operations);
  json_decref(document);
}
END_TEST

START_TEST(leaves_the_document_alone) {
  struct error error;
  json_t *document = json_loads("{\"a\":[1]}", 0, NULL);
  json_t *operations = json_loads("[{\"op\":\"add\",\"path\":\"/a/-\",\"value\":2}]", 0, NULL);
  json_t *result = json_patch_apply(document, operations, &error);
  ck_assert_uint_eq(json_array_size(json_object_get(document, "a")), 1);
  ck_assert_uint_eq(json_array_size(json_object_get(result, "a")), 2);
  json_decref(result);
  json_decref(operations);
  json_decref(document);
}
END_TEST

static void add_tests(TCase *tcase) {
  tcase_add_loop_test(tcase, applies_as_the_rfc_says, 0, sizeof cases / sizeof cases[0]);
  tcase_add_test(tcase, leaves_the_document_alone);
}

int main(void) {
  return run_suite("json_patch", add_tests);
}
