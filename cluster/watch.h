#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "cluster/calls.h"
#include "cluster/cluster.h"
#include "cluster/resource.h"

// Watches: what happens to objects, as it happens. Several are waited for together, so that one
// thread can follow all it needs, do calls in between, and wake for its own deadlines.
//
//   cluster_list(…, version, …);
//   watch = watch_open(cluster, &resource_secrets, &selection, version, &fault);
//   for (;;) {
//     int got = watch_wait(watches, count, ms, on_event, context, &fault);
//     if (got < 0 && fault.kind == FAULT_GONE)  … list again, watch_restart(watch, version)
//     …
//   }
//
// A stream that ends (the API server ends each after some minutes) or breaks is taken up again
// where it ended, with backoff and jitter, without the caller's seeing it.

struct watch;

enum watch_event_type { WATCH_ADDED, WATCH_MODIFIED, WATCH_DELETED };

struct watch_event {
  struct watch *watch;
  enum watch_event_type type;
  json_t *object;  // borrowed until the callback returns; json_incref() to keep it
};

// May make calls on the same cluster, but not wait for or close watches.
typedef void (*watch_event_fn)(void *context, const struct watch_event *event);

// One line of the stream. Larger than any object of etcd (1.5 MiB) escaped twofold.
#define WATCH_LINE_MAX ((size_t)8 << 20)

// Sends nothing yet. `version` is that of a list. Strings of `selection` are copied; its page is
// not used. NULL with FAULT_MEMORY or FAULT_SETTINGS.
struct watch *watch_open(struct cluster *cluster, const struct resource *resource,
                         const struct cluster_selection *selection, const char *version,
                         struct fault *fault);

// NULL is fine. Before cluster_close().
void watch_close(struct watch *watch);

// Goes on from the version of a new list. False if it is too long.
bool watch_restart(struct watch *watch, const char *version);

// True if the watch has ended with FAULT_GONE and waits for watch_restart().
bool watch_is_gone(const struct watch *watch);

// True while a stream is open, that is, while the API server has accepted it and it has not ended.
bool watch_is_live(const struct watch *watch);

// Waits until there are events, or `wait_ms` has passed, or cluster_cancel(), and gives each event
// to `on_event`. All watches belong to one cluster. Returns how many events there were, 0 when the
// time has passed, or -1 with a fault:
//   FAULT_GONE         *some* watch must be listed and restarted (watch_is_gone() tells which)
//   FAULT_CANCELLED    cluster_cancel()
//   FAULT_FORBIDDEN, FAULT_UNAUTHORIZED, FAULT_NOT_FOUND, FAULT_INVALID, FAULT_SETTINGS,
//   FAULT_PROTOCOL, FAULT_TOO_LARGE, FAULT_MEMORY
//                      said once for each time that a stream could not be had; it is tried again,
//                      with backoff, by the next waits.
// Events that were there are given before a fault is returned. What passes (unreachable, busy,
// 5xx) is not reported here: see watch_fault().
int watch_wait(struct watch *const *watches, size_t count, unsigned wait_ms,
               watch_event_fn on_event, void *context, struct fault *fault);

// Why the stream is not live, if it broke; FAULT_NONE while it is. Borrowed.
const struct fault *watch_fault(const struct watch *watch);
