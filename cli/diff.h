#pragma once

#include "admission/buffer.h"
#include "admission/text.h"

// Lines of context around a change, as diff -u.
#define DIFF_CONTEXT 3

// More changed lines than this are shown as one block taken out and one put in: the search for the
// shortest difference needs memory that grows with their square.
#define DIFF_CHANGES_MAX 2000

// Appends the hunks of a unified diff between two texts whose lines all end in a newline; nothing
// when they are equal. The caller writes the two header lines. 0, or -1 when memory is short.
int diff_unified(struct text before, struct text after, struct buffer *out);
