#pragma once

#include <microhttpd.h>
#include <stddef.h>

#include "server/connection.h"

// From the head of a request to what is done with it, and from the verdict to the answer.

// Reads path, method and headers and begins the connection's request.
void route_begin(struct connection *connection, struct MHD_Connection *handle, const char *url,
                 const char *method);

// The body is complete: judge and answer. `leaving`: the client shall not keep the connection.
enum MHD_Result route_answer(struct connection *connection, struct MHD_Connection *handle,
                             bool leaving);
