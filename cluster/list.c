#include <stdio.h>
#include <stdlib.h>

#include "admission/buffer.h"
#include "cluster/call.h"
#include "cluster/calls.h"
#include "cluster/calls_describe.h"
#include "cluster/clock.h"
#include "cluster/fault_set.h"
#include "cluster/query.h"

// Lists that become too old again and again while they are read come to an end.
#define RESTARTS_MAX 3

struct listing {
  struct cluster *cluster;
  const struct cluster_selection *selection;
  const char *path;  // of the collection
  const char *what;
  int64_t end_ms;
  unsigned page;
  unsigned restarts;
  json_t *items;
  json_t *next;  // the continue token, a string; NULL at the start
  char version[CLUSTER_VERSION_MAX];
};

static int get_page(struct listing *listing, json_t **ret_page, struct fault *fault) {
  buffer_auto path = {.max = QUERY_MAX};
  buffer_append_text(&path, text_of(listing->path));
  buffer_printf(&path, "?limit=%u", listing->page);
  query_add(&path, "labelSelector", listing->selection->label_selector);
  query_add(&path, "fieldSelector", listing->selection->field_selector);
  query_add(&path, "continue", json_string_value(listing->next));
  buffer_append(&path, "", 1);
  if (path.failed) {
    return fault_set(fault, FAULT_INVALID, "%s: the selectors are too long", listing->what);
  }
  int64_t left = listing->end_ms - cluster_now_ms();
  struct request request = {
      .method = "GET", .path = path.data, .what = listing->what, .is_repeatable = true};
  return call_json(listing->cluster, &request, left < 1 ? 1 : (unsigned)left, ret_page, fault);
}

static int take_page(struct listing *listing, const json_t *page, struct fault *fault) {
  json_t *items = json_object_get(page, "items");
  const json_t *metadata = json_object_get(page, "metadata");
  const char *version = json_string_value(json_object_get(metadata, "resourceVersion"));
  int len =
      snprintf(listing->version, sizeof listing->version, "%s", version == NULL ? "" : version);
  // A nil slice of Go is null.
  bool has_items = json_is_array(items) || json_is_null(items);
  if (!has_items || version == NULL || len >= (int)sizeof listing->version) {
    return fault_set(fault, FAULT_PROTOCOL, "%s: the answer is no list of objects", listing->what);
  }
  json_decref(listing->next);
  listing->next = json_incref(json_object_get(metadata, "continue"));
  if (json_is_array(items) && json_array_extend(listing->items, items) != 0) {
    return fault_set(fault, FAULT_MEMORY, "%s: out of memory", listing->what);
  }
  return 0;
}

// The snapshot that the pages come from is kept for five minutes (etcd compaction).
static bool start_again(struct listing *listing) {
  if (listing->next == NULL || listing->restarts == RESTARTS_MAX) {
    return false;
  }
  listing->restarts++;
  json_array_clear(listing->items);
  json_decref(listing->next);
  listing->next = NULL;
  return true;
}

// True if a page that could not be had is worth another try in another way.
static bool can_mend(struct listing *listing, const struct fault *fault) {
  if (fault->kind == FAULT_GONE) {
    return start_again(listing);
  }
  if (fault->kind == FAULT_TOO_LARGE && listing->page > 1) {
    listing->page = listing->page / 4 < 1 ? 1 : listing->page / 4;
    return true;
  }
  return false;
}

static bool has_more(const struct listing *listing) {
  return json_string_length(listing->next) > 0;
}

static int read_pages(struct listing *listing, struct fault *fault) {
  do {
    json_auto_t *page = NULL;
    if (get_page(listing, &page, fault) != 0) {
      if (!can_mend(listing, fault)) {
        return -1;
      }
      continue;
    }
    if (take_page(listing, page, fault) != 0) {
      return -1;
    }
    if (!has_more(listing)) {
      return 0;
    }
  } while (true);
}

int cluster_list(struct cluster *cluster, const struct resource *resource,
                 const struct cluster_selection *selection, unsigned budget_ms, json_t **ret_items,
                 char version[CLUSTER_VERSION_MAX], struct fault *fault) {
  static const struct cluster_selection everything = {.namespace_ = NULL};
  char what[CALLS_WHAT_MAX];
  char path[RESOURCE_PATH_MAX];
  selection = selection == NULL ? &everything : selection;
  calls_describe(what, "list", resource, selection->namespace_, NULL);
  if (!resource_path(resource, selection->namespace_, NULL, path)) {
    return fault_set(fault, FAULT_INVALID, "%s: this is no name of a namespace", what);
  }
  struct listing listing = {
      .cluster = cluster,
      .selection = selection,
      .path = path,
      .what = what,
      .end_ms = cluster_now_ms() + (budget_ms == 0 ? CLUSTER_BUDGET_MS : budget_ms),
      .page = selection->page == 0 ? CLUSTER_PAGE : selection->page,
      .items = json_array(),
  };
  int status = listing.items == NULL ? fault_out_of_memory(fault) : read_pages(&listing, fault);
  json_decref(listing.next);
  if (status != 0 || ret_items == NULL) {
    json_decref(listing.items);
    listing.items = NULL;
  }
  if (ret_items != NULL) {
    *ret_items = listing.items;
  }
  if (status == 0 && version != NULL) {
    snprintf(version, CLUSTER_VERSION_MAX, "%s", listing.version);
  }
  return status;
}
