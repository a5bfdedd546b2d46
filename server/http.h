#pragma once

#include <stddef.h>

#include "admission/error.h"
#include "server/address.h"
#include "server/connection.h"
#include "server/settings.h"

// The HTTPS side: POST /mutate and POST /validate, and the pages of page.h that show the kubelet
// whether the API server would get an answer here.
//
// One libmicrohttpd daemon for each thread, none with a socket of its own: one thread accepts and
// hands each connection to the daemon that has fewest. libmicrohttpd's own pool deals them out
// blindly, splits the limit evenly, and its MHD_quiesce_daemon() races with its threads and aborts
// when it loses (0.9.75, daemon.c: "Failed to remove listen FD from epoll set").
struct http;

// Starts to serve on `listener`, which it owns from then on. NULL with a reason.
struct http *http_start(const struct listener *listener, const struct settings *settings,
                        struct error *error);

// How far the end has come (protocol §6).
enum http_stage {
  HTTP_SERVING,
  HTTP_LEAVING,   // answers carry "Connection: close"
  HTTP_STOPPING,  // new requests are answered 503 with Retry-After: 0
};
void http_set_stage(enum http_stage stage);

// Takes every connection that the kernel has completed, then closes the listening socket.
void http_stop_accepting(struct http *http);

// Shuts down connections that are past their deadline; to be called often.
void http_reap(struct http *http);

// See connection_list_half_close().
void http_half_close(struct http *http);

// Sums over all threads.
struct http_counts {
  size_t open;      // connections
  size_t awaited;   // connections whose first request is to come, or whose request is not answered
  size_t requests;  // ever begun
};
struct http_counts http_count(struct http *http);

// Ends the threads, closes what is open, frees. NULL is fine.
void http_free(struct http *http);
