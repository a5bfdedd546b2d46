#pragma once

#include <microhttpd.h>
#include <stddef.h>

#include "server/connection.h"

// From the head of a request to what is done with it, and from the verdict to the answer.

// Reads path, method and headers and begins the connection's request, unless it asks for a page.
void route_begin(struct connection *connection, struct MHD_Connection *handle, const char *url,
                 const char *method);

// A piece of the body.
void route_receive(struct connection *connection, const char *bytes, size_t len);

// The body is complete: judge and answer. `leaving`: the client shall not keep the connection.
enum MHD_Result route_answer(struct connection *connection, struct MHD_Connection *handle,
                             const char *method, bool leaving);
