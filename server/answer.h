#pragma once

#include <microhttpd.h>

#include "admission/buffer.h"

// Bodies of answers. Both return NULL when memory is short.

// Takes over the bytes of `body`, which is empty afterwards. `content_type` is copied.
struct MHD_Response *answer_new(struct buffer *body, const char *content_type);

// A Kubernetes metav1.Status of a failure, as the API server itself answers.
struct MHD_Response *answer_status_new(unsigned code, const char *message);

// Queues `response`, adds "Connection: close" if `close_after`, and gives up our reference.
// `response` NULL closes the connection, which is all that is left without memory.
enum MHD_Result answer_send(struct MHD_Connection *connection, unsigned code,
                            struct MHD_Response *response, bool close_after);
