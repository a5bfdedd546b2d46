#pragma once

#include "admission/buffer.h"

// Room for a path with its query: a continue token holds a key of etcd.
#define QUERY_MAX ((size_t)16 << 10)

// Appends "&name=value" with the value percent-encoded; nothing if `value` is NULL or empty.
void query_add(struct buffer *path, const char *name, const char *value);

// Appends `value` percent-encoded (RFC 3986).
void query_escape(struct buffer *out, const char *value);
