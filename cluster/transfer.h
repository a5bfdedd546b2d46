#pragma once

#include <curl/curl.h>
#include <stdbool.h>

#include "admission/buffer.h"
#include "cluster/client.h"

// One HTTP request on its way, by libcurl's multi interface.

struct request {
  const char *method;
  const char *path;          // with the query
  const char *accept;        // NULL: application/json
  const char *content_type;  // NULL: no body
  struct text body;
  const char *what;     // "get secrets/x in ns", for messages
  bool is_repeatable;   // may be done twice
  bool is_write;        // its connection must be one on which the identity was read
  bool any_connection;  // of a write: unless that cannot be had
  unsigned timeout_ms;  // 0: none
};

struct transfer {
  struct cluster *cluster;
  CURL *easy;
  const struct request *request;  // borrowed while under way
  struct curl_slist *headers;
  char *url;
  bool running;  // in the multi handle
  bool done;
  CURLcode result;
  bool was_sent;                 // the request began to be written
  bool is_unverified;            // a write met a connection without identity: nothing was sent
  struct connection connection;  // that it was sent on
  char error[CURL_ERROR_SIZE];
};

// Configures `easy` and starts the request; bytes of the answer go to `sink(bytes, 1, len, data)`.
// 0, or -1 with FAULT_SETTINGS or FAULT_MEMORY. Ends by transfer_end().
int transfer_begin(struct transfer *transfer, struct cluster *cluster, CURL *easy,
                   const struct request *request, curl_write_callback sink, void *data,
                   struct fault *fault);

// Lets all transfers of the cluster go on as far as they can and notes which are done.
// 0, or -1 with FAULT_MEMORY or FAULT_CANCELLED.
int transfer_pump(struct cluster *cluster, struct fault *fault);

// Waits until some transfer can go on, `ms` have passed, or cluster_cancel().
void transfer_poll(struct cluster *cluster, int64_t ms);

// Waits `ms` in any case, unless cancelled: 0, or -1 with FAULT_CANCELLED.
int transfer_sleep(struct cluster *cluster, int64_t ms, struct fault *fault);

// The HTTP code, 0 without an answer.
int transfer_code(const struct transfer *transfer);

// Seconds of Retry-After, -1 without one.
int transfer_retry_after(const struct transfer *transfer);

bool transfer_is_json(const struct transfer *transfer);

// What libcurl's failure means; call it only after `done` without an answer.
int transfer_fault(const struct transfer *transfer, struct fault *fault);

// True if another attempt would end the same way.
bool transfer_is_hopeless(const struct transfer *transfer);

// Takes it out and wipes what held credentials. Fine at any time.
void transfer_end(struct transfer *transfer);
