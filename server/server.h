#pragma once

#include <stddef.h>

#include "server/override.h"

// The life of the server (design §6): load, listen, be ready, serve until SIGTERM or SIGINT, drain.
// SIGHUP looks at the files at once. A second signal while draining ends the process at once.
//
// Once it listens it prints two lines on stdout, and a third when it is ready:
//   rayfix: serving https://127.0.0.1:34567
//   rayfix: health http://127.0.0.1:23456
//   rayfix: ready
// Blocks until the end; what stopped it early has been said on stderr.
enum server_end {
  SERVER_STOPPED,    // drained after a signal
  SERVER_CUT_SHORT,  // a second signal, or the daemon failed
  SERVER_BAD_CONFIGURATION,
  SERVER_IO_ERROR,  // a file, a port, memory
};

// `config_path` NULL: defaults.
enum server_end server_run(const char *config_path, const struct override *overrides,
                           size_t override_count);
