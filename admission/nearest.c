#include <ctype.h>

#include "admission/option.h"

// Longer names are never suggested; it bounds the rows below.
#define NAME_MAX_LENGTH 64

static size_t least(size_t a, size_t b) {
  return a < b ? a : b;
}

static bool same_letter(char a, char b) {
  return tolower((unsigned char)a) == tolower((unsigned char)b);
}

// Optimal string alignment distance: insert, delete, replace, or swap two neighbours, each 1.
// Case does not count, as a slip of the shift key is the likeliest mistake of all.
static size_t edit_distance(struct text a, struct text b) {
  size_t rows[3][NAME_MAX_LENGTH + 1];
  size_t *before = rows[0];
  size_t *above = rows[1];
  size_t *row = rows[2];
  for (size_t j = 0; j <= b.len; j++) {
    above[j] = j;
    before[j] = 0;
  }
  for (size_t i = 1; i <= a.len; i++) {
    row[0] = i;
    for (size_t j = 1; j <= b.len; j++) {
      size_t cost = same_letter(a.data[i - 1], b.data[j - 1]) ? 0 : 1;
      row[j] = least(least(above[j] + 1, row[j - 1] + 1), above[j - 1] + cost);
      if (i > 1 && j > 1 && same_letter(a.data[i - 1], b.data[j - 2]) &&
          same_letter(a.data[i - 2], b.data[j - 1])) {
        row[j] = least(row[j], before[j - 2] + 1);
      }
    }
    size_t *oldest = before;
    before = above;
    above = row;
    row = oldest;
  }
  return above[b.len];
}

const char *nearest_name(struct text wanted, const char *const *names, size_t count) {
  if (wanted.len == 0 || wanted.len > NAME_MAX_LENGTH) {
    return NULL;
  }
  const char *nearest = NULL;
  size_t best = (wanted.len + 2) / 3 + 1;  // a third, rounded up so that "of" finds "off"
  for (size_t i = 0; i < count; i++) {
    struct text name = text_of(names[i]);
    size_t distance = name.len > NAME_MAX_LENGTH ? SIZE_MAX : edit_distance(wanted, name);
    if (distance < best) {
      best = distance;
      nearest = names[i];
    }
  }
  return nearest;
}
