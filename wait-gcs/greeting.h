// What a server's first bytes say. Pure: bytes in, verdict out.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "wait-gcs/arguments.h"

// As many bytes as are ever looked at: the header of an HTTP/2 frame.
#define GREETING_MAX 9

enum verdict { VERDICT_MORE, VERDICT_READY, VERDICT_OTHER };

// Judges the first `count` bytes (at most GREETING_MAX count) of a server; `asked`: it was sent
// client_hello. VERDICT_MORE: they may still become a GCS's.
enum verdict greeting_judge(enum wait_mode mode, bool asked, const unsigned char *bytes,
                            size_t count);

// A TLS ClientHello that servers of TLS 1.2 and 1.3 answer.
extern const unsigned char client_hello[];
extern const size_t client_hello_size;
