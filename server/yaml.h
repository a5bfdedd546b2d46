#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "admission/arena.h"
#include "admission/text.h"
#include "server/configuration_mistakes.h"

// A strict reader of one YAML document, by libyaml's events, into a tree that knows lines and
// columns. JSON is YAML, so it reads JSON too.
//
// Anchors, aliases, tags and a second document are mistakes: a configuration needs none of them,
// and without aliases nothing can grow beyond what is written (design §5: "aliases and depth are
// bounded").

// Lists and mappings inside each other; a configuration needs 7.
#define YAML_DEPTH_MAX 32

// Keys and values in one file; bounds the tree's memory.
#define YAML_NODES_MAX 100000

enum node_type {
  NODE_INVALID,  // a mistake that has been reported already
  NODE_SCALAR,
  NODE_LIST,
  NODE_MAPPING,
};

struct node {
  enum node_type type;
  size_t line;  // from 1, as is the column
  size_t column;
  struct text text;    // of a scalar
  bool is_plain;       // a scalar without quotes
  struct node *first;  // children of a list; keys and values by turns of a mapping
  struct node *last;
  struct node *next;
  size_t count;  // children; a mapping counts keys and values
};

// Reads the text; the tree lives in `arena`. Mistakes that keep the text from being read as YAML
// are added to `mistakes` and NULL is returned; others are added too and leave a NODE_INVALID.
struct node *yaml_read(const char *text, size_t len, struct arena *arena,
                       struct mistakes *mistakes);

// True for an absent value, ~ and null without quotes: "not set".
bool node_is_null(const struct node *node);

// "a list", "the number 5", "null" … what stands there, for messages; in `arena`, never NULL.
const char *node_describe(const struct node *node, struct arena *arena);
