#include "cluster/watch.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cluster/calls_describe.h"
#include "cluster/client.h"
#include "cluster/clock.h"
#include "cluster/fault_set.h"
#include "cluster/query.h"
#include "cluster/retry.h"
#include "cluster/status.h"
#include "cluster/transfer.h"

// The API server ends a stream after this many seconds, by half as much more at random, so that
// those of several replicas do not end together (client-go: 5 to 10 minutes).
#define STREAM_SECONDS 300U

// A stream that ends sooner than this is taken up with backoff, as if it had failed.
#define STREAM_SHORT_MS 1000

// The longest wait before a stream is tried again.
#define BACKOFF_MAX_MS 30000

// What may wait in the buffer before the sender has to.
#define BUFFER_MAX (2 * WATCH_LINE_MAX)

struct watch {
  struct cluster *cluster;
  const struct resource *resource;
  char *path;
  char *label_selector;
  char *field_selector;
  char what[CALLS_WHAT_MAX];
  char version[CLUSTER_VERSION_MAX];
  CURL *easy;
  struct transfer transfer;
  struct request request;
  struct buffer url;
  struct buffer lines;  // bytes that came and are not parsed
  size_t parsed;        // how many of them are
  bool is_open;         // the transfer is under way
  bool is_paused;
  bool is_gone;
  bool is_reported;   // the fault, to the caller
  unsigned failures;  // in a row
  int64_t opened_ms;
  int64_t retry_ms;    // when to open it again
  int64_t heard_ms;    // when the last bytes came
  struct fault fault;  // why it is not live
};

static bool copy(char **target, const char *text) {
  *target = text == NULL ? NULL : strdup(text);
  return text == NULL || *target != NULL;
}

bool watch_restart(struct watch *watch, const char *version) {
  int len = snprintf(watch->version, sizeof watch->version, "%s", version);
  watch->is_gone = false;
  watch->fault = (struct fault){.kind = FAULT_NONE};
  watch->retry_ms = 0;
  return len >= 0 && (size_t)len < sizeof watch->version;
}

static bool prepare(struct watch *watch, struct cluster *cluster, const struct resource *resource,
                    const struct cluster_selection *selection) {
  static const struct cluster_selection everything = {.namespace_ = NULL};
  selection = selection == NULL ? &everything : selection;
  watch->cluster = cluster;
  watch->resource = resource;
  watch->url.max = QUERY_MAX;
  watch->lines.max = BUFFER_MAX + CURL_MAX_WRITE_SIZE;
  watch->path = calloc(1, RESOURCE_PATH_MAX);
  watch->easy = curl_easy_init();
  calls_describe(watch->what, "watch", resource, selection->namespace_, NULL);
  return watch->path != NULL && watch->easy != NULL &&
         copy(&watch->label_selector, selection->label_selector) &&
         copy(&watch->field_selector, selection->field_selector);
}

struct watch *watch_open(struct cluster *cluster, const struct resource *resource,
                         const struct cluster_selection *selection, const char *version,
                         struct fault *fault) {
  struct watch *watch = calloc(1, sizeof *watch);
  if (watch == NULL || !prepare(watch, cluster, resource, selection)) {
    watch_close(watch);
    fault_out_of_memory(fault);
    return NULL;
  }
  const char *namespace_ = selection == NULL ? NULL : selection->namespace_;
  if (!resource_path(resource, namespace_, NULL, watch->path) || !watch_restart(watch, version)) {
    fault_set(fault, FAULT_SETTINGS, "%s: the namespace or resourceVersion is too long or no name",
              watch->what);
    watch_close(watch);
    return NULL;
  }
  return watch;
}

static void end_stream(struct watch *watch) {
  if (watch->is_open) {
    transfer_end(&watch->transfer);
    watch->is_open = false;
  }
  watch->is_paused = false;
  watch->lines.len = 0;
  watch->lines.failed = false;
  watch->parsed = 0;
}

void watch_close(struct watch *watch) {
  if (watch == NULL) {
    return;
  }
  end_stream(watch);
  curl_easy_cleanup(watch->easy);
  buffer_free(&watch->url);
  buffer_free(&watch->lines);
  free(watch->path);
  free(watch->label_selector);
  free(watch->field_selector);
  free(watch);
}

bool watch_is_gone(const struct watch *watch) {
  return watch->is_gone;
}

bool watch_is_live(const struct watch *watch) {
  return watch->is_open && transfer_code(&watch->transfer) == 200;
}

const struct fault *watch_fault(const struct watch *watch) {
  return &watch->fault;
}

// ---- one stream ----

static size_t collect(char *bytes, size_t size, size_t count, void *data) {
  struct watch *watch = data;
  size_t len = size * count;
  if (watch->lines.len - watch->parsed > WATCH_LINE_MAX) {
    watch->is_paused = true;  // the caller is busy; TCP makes the sender wait
    return CURL_WRITEFUNC_PAUSE;
  }
  watch->heard_ms = cluster_now_ms();
  return buffer_append(&watch->lines, bytes, len) ? len : CURL_WRITEFUNC_ERROR;
}

// The stream is over for the reason in watch->fault; it is opened again later.
static void fail(struct watch *watch) {
  cluster_redact(watch->cluster, watch->fault.error.text, sizeof watch->fault.error.text);
  end_stream(watch);
  watch->is_gone = watch->fault.kind == FAULT_GONE;
  watch->is_reported = fault_is_passing(watch->fault.kind);
  watch->failures++;
  watch->retry_ms =
      cluster_now_ms() + retry_backoff(watch->failures, BACKOFF_MAX_MS, retry_random());
}

static void open_stream(struct watch *watch) {
  watch->url.len = 0;
  watch->url.failed = false;
  unsigned seconds = STREAM_SECONDS + retry_random() % (STREAM_SECONDS / 2);
  buffer_printf(&watch->url, "%s?watch=1&allowWatchBookmarks=true&timeoutSeconds=%u", watch->path,
                seconds);
  query_add(&watch->url, "resourceVersion", watch->version);
  query_add(&watch->url, "labelSelector", watch->label_selector);
  query_add(&watch->url, "fieldSelector", watch->field_selector);
  buffer_append(&watch->url, "", 1);
  watch->opened_ms = cluster_now_ms();
  watch->heard_ms = watch->opened_ms;
  if (watch->url.failed) {
    fault_set(&watch->fault, FAULT_INVALID, "%s: the selectors are too long", watch->what);
    fail(watch);
    return;
  }
  watch->request = (struct request){
      .method = "GET", .path = watch->url.data, .what = watch->what, .is_repeatable = true};
  if (transfer_begin(&watch->transfer, watch->cluster, watch->easy, &watch->request, collect, watch,
                     &watch->fault) != 0) {
    fail(watch);
    return;
  }
  watch->is_open = true;
}

// ---- events ----

struct delivery {
  watch_event_fn on_event;
  void *context;
  int count;
};

static int bad_event(struct watch *watch, const char *why) {
  return fault_set(&watch->fault, FAULT_PROTOCOL, "%s: found an event %s", watch->what, why);
}

static bool take_version(struct watch *watch, const json_t *object) {
  const char *version =
      json_string_value(json_object_get(json_object_get(object, "metadata"), "resourceVersion"));
  size_t len = version == NULL ? 0 : strlen(version);
  if (len == 0 || len >= sizeof watch->version) {
    return false;
  }
  memcpy(watch->version, version, len + 1);
  return true;
}

// One event. -1 with watch->fault when the stream is of no more use.
static int take_event(struct watch *watch, const json_t *event, struct delivery *delivery) {
  const json_t *type = json_object_get(event, "type");
  struct text name = {json_string_value(type), json_string_length(type)};
  json_t *object = json_object_get(event, "object");
  if (!json_is_object(object)) {
    return bad_event(watch, "without an object");
  }
  if (text_equals(name, TEXT("ERROR"))) {
    return status_fault_of(watch->what, object, &watch->fault);
  }
  if (!take_version(watch, object)) {
    return bad_event(watch, "without metadata.resourceVersion");
  }
  watch->failures = 0;
  struct watch_event given = {.watch = watch, .type = WATCH_ADDED, .object = object};
  if (text_equals(name, TEXT("BOOKMARK"))) {
    return 0;
  }
  if (text_equals(name, TEXT("MODIFIED"))) {
    given.type = WATCH_MODIFIED;
  } else if (text_equals(name, TEXT("DELETED"))) {
    given.type = WATCH_DELETED;
  } else if (!text_equals(name, TEXT("ADDED"))) {
    return bad_event(watch, "of an unknown type");
  }
  delivery->count++;
  delivery->on_event(delivery->context, &given);
  return 0;
}

static int take_line(struct watch *watch, const char *line, size_t len, struct delivery *delivery) {
  if (len == 0) {
    return 0;
  }
  json_error_t why;
  json_auto_t *event = json_loadb(line, len, JSON_ALLOW_NUL, &why);
  if (event == NULL) {
    return json_error_code(&why) == json_error_out_of_memory
               ? fault_set(&watch->fault, FAULT_MEMORY, "%s: out of memory", watch->what)
               : bad_event(watch, "that is no JSON");
  }
  return take_event(watch, event, delivery);
}

// Gives what has come in whole lines. A callback may make calls, in which more bytes come: so
// nothing points into the buffer across it.
static int deliver(struct watch *watch, struct delivery *delivery) {
  int status = 0;
  while (status == 0 && watch->parsed < watch->lines.len) {
    const char *begin = watch->lines.data + watch->parsed;
    size_t len = watch->lines.len - watch->parsed;
    const char *end = memchr(begin, '\n', len);
    if (end == NULL) {
      if (len > WATCH_LINE_MAX) {
        status = fault_set(&watch->fault, FAULT_TOO_LARGE, "%s: found an event above %zu bytes",
                           watch->what, WATCH_LINE_MAX);
      }
      break;
    }
    watch->parsed += (size_t)(end - begin) + 1;
    status = take_line(watch, begin, (size_t)(end - begin), delivery);
  }
  if (watch->parsed > 0) {
    memmove(watch->lines.data, watch->lines.data + watch->parsed, watch->lines.len - watch->parsed);
    watch->lines.len -= watch->parsed;
    watch->parsed = 0;
  }
  if (watch->is_paused && status == 0) {
    watch->is_paused = false;
    curl_easy_pause(watch->easy, CURLPAUSE_CONT);
  }
  return status;
}

// ---- the end of a stream ----

static void finish_with_code(struct watch *watch, int code) {
  status_fault(watch->what, code, transfer_is_json(&watch->transfer),
               (struct text){watch->lines.data, watch->lines.len}, &watch->fault);
  if (code == 401) {
    material_forget(&watch->cluster->token);
  }
  fail(watch);
}

// The transfer has ended.
static void finish(struct watch *watch) {
  int code = transfer_code(&watch->transfer);
  if (watch->transfer.result != CURLE_OK) {
    if (watch->lines.failed) {
      fault_set(&watch->fault, FAULT_MEMORY, "%s: out of memory", watch->what);
    } else {
      transfer_fault(&watch->transfer, &watch->fault);
    }
    fail(watch);
  } else if (code != 200) {
    finish_with_code(watch, code);
  } else if (cluster_now_ms() - watch->opened_ms < STREAM_SHORT_MS) {
    fault_set(&watch->fault, FAULT_UNREACHABLE, "%s: %s: the stream ended at once", watch->what,
              watch->cluster->server);
    fail(watch);
  } else {
    end_stream(watch);  // as the API server does every few minutes
    watch->retry_ms = 0;
  }
}

static void check_idle(struct watch *watch, int64_t now) {
  if (now - watch->heard_ms > (int64_t)watch->cluster->watch_idle_ms) {
    fault_set(&watch->fault, FAULT_TIMEOUT, "%s: %s: nothing was heard for %u ms", watch->what,
              watch->cluster->server, watch->cluster->watch_idle_ms);
    fail(watch);
  }
}

// Brings one watch forward: gives events, opens, closes.
static void step(struct watch *watch, struct delivery *delivery) {
  if (watch->is_gone) {
    return;
  }
  int64_t now = cluster_now_ms();
  if (!watch->is_open && now >= watch->retry_ms) {
    open_stream(watch);
    return;
  }
  if (!watch->is_open) {
    return;
  }
  if (transfer_code(&watch->transfer) == 200) {
    watch->fault = (struct fault){.kind = FAULT_NONE};
    if (deliver(watch, delivery) != 0) {
      fail(watch);
      return;
    }
  }
  if (watch->transfer.done) {
    finish(watch);
  } else {
    check_idle(watch, now);
  }
}

// ---- waiting ----

// True if the caller must hear of a fault, which is then in `fault`.
static bool report(struct watch *const *watches, size_t count, struct fault *fault) {
  for (size_t i = 0; i < count; i++) {
    struct watch *watch = watches[i];
    bool is_new = watch->fault.kind != FAULT_NONE && !watch->is_reported;
    if (is_new || watch->is_gone) {
      watch->is_reported = true;
      *fault = watch->fault;
      return true;
    }
  }
  return false;
}

// Until when nothing happens by itself.
static int64_t next_ms(struct watch *const *watches, size_t count, int64_t end) {
  for (size_t i = 0; i < count; i++) {
    const struct watch *watch = watches[i];
    int64_t then =
        watch->is_open ? watch->heard_ms + watch->cluster->watch_idle_ms + 1 : watch->retry_ms;
    end = then < end ? then : end;
  }
  return end;
}

int watch_wait(struct watch *const *watches, size_t count, unsigned wait_ms,
               watch_event_fn on_event, void *context, struct fault *fault) {
  struct delivery delivery = {on_event, context, 0};
  int64_t end = cluster_now_ms() + wait_ms;
  struct cluster *cluster = count == 0 ? NULL : watches[0]->cluster;
  if (cluster == NULL) {
    return fault_set(fault, FAULT_SETTINGS, "no watch to wait for");
  }
  for (;;) {
    if (transfer_pump(cluster, fault) != 0) {
      return -1;
    }
    for (size_t i = 0; i < count; i++) {
      step(watches[i], &delivery);
    }
    if (report(watches, count, fault)) {
      return -1;
    }
    if (delivery.count > 0 || cluster_now_ms() >= end) {
      *fault = (struct fault){.kind = FAULT_NONE};
      return delivery.count;
    }
    transfer_poll(cluster, next_ms(watches, count, end) - cluster_now_ms());
  }
}
