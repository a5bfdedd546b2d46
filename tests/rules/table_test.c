// Tests of all mutators together: their order does not matter, and a second round does nothing.

#include "tests/rules/table.h"

#include <check.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>

#include "tests/rules/json_patch.h"
#include "tests/rules/review.h"
#include "tests/unit/suite.h"

static struct arena *arena;
static glob_t bases;

static struct owned_text copy_of(struct text text) {
  struct owned_text copy = {malloc(text.len + 1), text.len};
  ck_assert_ptr_nonnull(copy.data);
  memcpy(copy.data, text.data, text.len);
  copy.data[text.len] = '\0';
  return copy;
}

// The object after the patch that `config` answers with; a copy without one.
static struct owned_text mutated(const struct admission_config *config, struct text object) {
  struct reviewed reviewed = review_object(config, arena, object);
  ck_assert_int_eq(reviewed.status, ADMISSION_ANSWERED);
  struct owned_text result = reviewed.patch_text.data == NULL
                                 ? copy_of(object)
                                 : values_apply(object, owned_view(reviewed.patch_text));
  ck_assert_ptr_nonnull(result.data);
  reviewed_free(&reviewed);
  return result;
}

// The object after each rule alone, one after the other.
static struct owned_text mutated_one_by_one(struct text object, bool backwards) {
  struct owned_text now = copy_of(object);
  for (size_t i = 0; i < table_size(); i++) {
    size_t index = backwards ? table_size() - 1 - i : i;
    struct admission_config *config = table_config(table_name(index));
    struct owned_text next = mutated(config, owned_view(now));
    admission_config_free(config);
    free(now.data);
    now = next;
  }
  return now;
}

static int compare_dumps(const void *left, const void *right) {
  const char *const *a = left;
  const char *const *b = right;
  return strcmp(*a, *b);
}

// Tolerations are a set: the rules that add to them may do so in any order.
static void sort_tolerations(json_t *pod) {
  json_t *tolerations = json_pointer_get(pod, "/spec/tolerations");
  size_t count = json_array_size(tolerations);
  char **dumps = calloc(count + 1, sizeof *dumps);
  for (size_t i = 0; i < count; i++) {
    dumps[i] = json_dumps(json_array_get(tolerations, i), JSON_SORT_KEYS | JSON_COMPACT);
  }
  qsort(dumps, count, sizeof *dumps, compare_dumps);
  for (size_t i = 0; i < count; i++) {
    json_array_set_new(tolerations, i, json_string(dumps[i]));
    free(dumps[i]);
  }
  free(dumps);
}

static void check_same_pod(const char *name, struct text a, struct text b) {
  json_t *first = json_loadb(a.data, a.len, 0, NULL);
  json_t *second = json_loadb(b.data, b.len, 0, NULL);
  ck_assert(first != NULL && second != NULL);
  sort_tolerations(first);
  sort_tolerations(second);
  char *first_text = json_dumps(first, JSON_SORT_KEYS | JSON_INDENT(1));
  char *second_text = json_dumps(second, JSON_SORT_KEYS | JSON_INDENT(1));
  ck_assert_msg(json_equal(first, second), "%s:\n%s\nis not\n%s", name, first_text, second_text);
  free(first_text);
  free(second_text);
  json_decref(first);
  json_decref(second);
}

// The base as it is, or as a GPU pod that asks for spot nodes, so that the two rules that append
// tolerations both act.
static struct owned_text read_base(size_t index, bool everything) {
  static const char more[] =
      "{\"metadata\":{\"annotations\":{\"rayfix.io/spot\":\"prefer\"}},"
      "\"spec\":{\"resources\":{\"limits\":{\"memory\":\"16Gi\"}},"
      "\"tolerations\":[{\"key\":\"a\",\"operator\":\"Exists\"}]}}";
  struct owned_text text = values_read_file(bases.gl_pathv[index]);
  if (!everything) {
    return text;
  }
  yyjson_doc *doc = values_parse(owned_view(text), bases.gl_pathv[index]);
  yyjson_doc *merge = values_parse(text_of(more), "merge");
  struct owned_text changed =
      values_change(yyjson_doc_get_root(doc), yyjson_doc_get_root(merge), NULL, "merge");
  yyjson_doc_free(merge);
  yyjson_doc_free(doc);
  free(text.data);
  return changed;
}

static void check_order(size_t index, bool everything) {
  const char *name = bases.gl_pathv[index];
  struct owned_text base = read_base(index, everything);
  struct owned_text forwards = mutated_one_by_one(owned_view(base), false);
  struct owned_text backwards = mutated_one_by_one(owned_view(base), true);
  struct admission_config *config = table_config(NULL);
  struct owned_text together = mutated(config, owned_view(base));
  check_same_pod(name, owned_view(forwards), owned_view(backwards));
  check_same_pod(name, owned_view(forwards), owned_view(together));
  struct reviewed again = review_object(config, arena, owned_view(together));
  ck_assert_msg(again.patch_text.data == NULL, "%s: the second review patches again: %s", name,
                again.patch_text.data);
  reviewed_free(&again);
  admission_config_free(config);
  free(together.data);
  free(backwards.data);
  free(forwards.data);
  free(base.data);
}

START_TEST(order_does_not_matter) {
  check_order((size_t)_i, false);
}
END_TEST

START_TEST(order_does_not_matter_when_all_act) {
  check_order((size_t)_i, true);
}
END_TEST

static void add_tests(TCase *tcase) {
  tcase_add_loop_test(tcase, order_does_not_matter, 0, (int)bases.gl_pathc);
  tcase_add_loop_test(tcase, order_does_not_matter_when_all_act, 0, (int)bases.gl_pathc);
}

int main(void) {
  if (glob(SOURCE_DIR "/tests/mutators/bases/*.json", 0, NULL, &bases) != 0) {
    return EXIT_FAILURE;
  }
  arena = arena_new(ADMISSION_ARENA_FIRST, ADMISSION_ARENA_MAX);
  int status = run_suite("table", add_tests);
  arena_free(arena);
  globfree(&bases);
  return status;
}
