// Reads the table of Kubernetes' answers (README.md) and compares quantity_parse() with it.

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admission/quantity.h"
#include "tests/unit/suite.h"

#define ROWS_MIN 20000

struct row {
  size_t line;
  struct text text;  // unescaped, in the table's own bytes
  bool ok;
  unsigned long long rank;
  int128 nano;  // Kubernetes' value, clamped to ±(2^63 - 1) units
  struct quantity quantity;
  bool parsed;
};

static const char *path;
static char *bytes;
static struct row *rows;
static size_t count;

static struct text read_all(void) {
  FILE *file = fopen(path, "rb");
  ck_assert_msg(file != NULL, "%s cannot be opened", path);
  ck_assert(fseek(file, 0, SEEK_END) == 0);
  long length = ftell(file);
  ck_assert(length > 0);
  rewind(file);
  bytes = malloc((size_t)length);
  ck_assert(bytes != NULL);
  ck_assert(fread(bytes, 1, (size_t)length, file) == (size_t)length);
  fclose(file);
  return (struct text){bytes, (size_t)length};
}

// The part before `end`, which must be there; *rest continues behind it.
static struct text take_until(struct text *rest, char end) {
  const char *hit = rest->len == 0 ? NULL : memchr(rest->data, end, rest->len);
  size_t length = hit == NULL ? rest->len : (size_t)(hit - rest->data);
  struct text part = text_slice(*rest, 0, length);
  *rest = text_slice(*rest, length + (hit == NULL ? 0 : 1), rest->len);
  return part;
}

static unsigned char hex_value(char c) {
  ck_assert_msg((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'), "%s: bad escape", path);
  return (unsigned char)(c <= '9' ? c - '0' : c - 'a' + 10);
}

// \xNN becomes the byte, in place: the result is never longer.
static struct text unescape(struct text escaped) {
  char *start = bytes + (escaped.data - bytes);
  char *to = start;
  for (size_t i = 0; i < escaped.len; i++) {
    if (escaped.data[i] == '\\') {
      ck_assert(i + 3 < escaped.len && escaped.data[i + 1] == 'x');
      int byte = hex_value(escaped.data[i + 2]) * 16 + hex_value(escaped.data[i + 3]);
      *to++ = (char)(unsigned char)byte;
      i += 3;
    } else {
      *to++ = escaped.data[i];
    }
  }
  return (struct text){start, (size_t)(to - start)};
}

static int128 read_nano(struct text text) {
  bool negative = text_starts_with(text, TEXT("-"));
  int128 value = 0;
  ck_assert(text.len > 0 && text.len < 32);
  for (size_t i = negative ? 1 : 0; i < text.len; i++) {
    ck_assert(text.data[i] >= '0' && text.data[i] <= '9');
    value = value * 10 + (text.data[i] - '0');
  }
  return negative ? -value : value;
}

static struct row read_row(struct text line, size_t number) {
  struct row row = {.line = number};
  row.text = unescape(take_until(&line, '\t'));
  struct text verdict = take_until(&line, '\t');
  row.ok = text_equals(verdict, TEXT("ok"));
  ck_assert_msg(row.ok || text_equals(verdict, TEXT("bad")), "%s:%zu: found verdict '%.*s'", path,
                number, TEXT_ARG(verdict));
  if (row.ok) {
    struct text rank = take_until(&line, '\t');
    ck_assert_msg(text_to_unsigned(rank, UINT64_MAX, &row.rank), "%s:%zu: bad rank", path, number);
    row.nano = read_nano(line);
  }
  row.parsed = quantity_parse(row.text, &row.quantity);
  return row;
}

static void read_table(void) {
  struct text rest = read_all();
  size_t lines = 1;
  for (size_t i = 0; i < rest.len; i++) {
    lines += rest.data[i] == '\n' ? 1 : 0;
  }
  rows = calloc(lines, sizeof *rows);
  ck_assert(rows != NULL);
  count = 0;
  for (size_t number = 1; rest.len > 0; number++) {
    struct text line = take_until(&rest, '\n');
    if (!text_starts_with(line, TEXT("#"))) {
      rows[count++] = read_row(line, number);
    }
  }
}

static void free_table(void) {
  free(rows);
  free(bytes);
}

START_TEST(same_verdict) {
  size_t legal = 0;
  size_t different = 0;
  for (size_t i = 0; i < count; i++) {
    legal += rows[i].ok ? 1 : 0;
    if (rows[i].parsed != rows[i].ok && ++different <= 20) {
      printf("%s:%zu: '%.*s' is %s, Kubernetes says %s\n", path, rows[i].line,
             TEXT_ARG(rows[i].text), rows[i].parsed ? "ok" : "bad", rows[i].ok ? "ok" : "bad");
    }
  }
  printf("%zu rows compared, %zu of them legal\n", count, legal);
  ck_assert_msg(count >= ROWS_MIN, "%s: found %zu rows, wanted %d", path, count, ROWS_MIN);
  ck_assert_msg(different == 0, "%zu verdicts differ from Kubernetes'", different);
}
END_TEST

START_TEST(same_value) {
  size_t different = 0;
  for (size_t i = 0; i < count; i++) {
    if (rows[i].ok && rows[i].quantity.nano != rows[i].nano && ++different <= 20) {
      printf("%s:%zu: '%.*s' has another value in Kubernetes\n", path, rows[i].line,
             TEXT_ARG(rows[i].text));
    }
  }
  ck_assert_msg(different == 0, "%zu values differ from Kubernetes'", different);
}
END_TEST

static int compare_ranks(const void *a, const void *b) {
  unsigned long long left = ((const struct row *)a)->rank;
  unsigned long long right = ((const struct row *)b)->rank;
  return (left > right) - (left < right);
}

static int compare_nano(int128 a, int128 b) {
  return (a > b) - (a < b);
}

// In rank order each neighbour must compare by nano as by rank. Comparing by nano is transitive, so
// this holds for all pairs then, in both directions.
START_TEST(same_order) {
  struct row *legal = calloc(count, sizeof *legal);
  ck_assert(legal != NULL);
  size_t n = 0;
  for (size_t i = 0; i < count; i++) {
    if (rows[i].ok) {
      legal[n++] = rows[i];
    }
  }
  qsort(legal, n, sizeof *legal, compare_ranks);
  size_t different = 0;
  for (size_t i = 1; i < n; i++) {
    const struct row *a = &legal[i - 1];
    const struct row *b = &legal[i];
    if (compare_nano(a->quantity.nano, b->quantity.nano) != compare_ranks(a, b) &&
        ++different <= 20) {
      printf("%s:%zu and :%zu: '%.*s' and '%.*s' compare otherwise in Kubernetes\n", path, a->line,
             b->line, TEXT_ARG(a->text), TEXT_ARG(b->text));
    }
  }
  printf("%zu values in Kubernetes' order\n", n);
  free(legal);
  ck_assert_msg(n > 1, "%s: no legal quantities", path);
  ck_assert_msg(different == 0, "%zu neighbours compare otherwise in Kubernetes", different);
}
END_TEST

static void add_tests(TCase *tcase) {
  tcase_add_unchecked_fixture(tcase, read_table, free_table);
  tcase_add_test(tcase, same_verdict);
  tcase_add_test(tcase, same_value);
  tcase_add_test(tcase, same_order);
}

int main(int argc, char **argv) {
  path = argc == 2 ? argv[1] : "tests/quantity/quantities.tsv";
  return run_suite("quantity_table", add_tests);
}
