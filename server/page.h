#pragma once

#include <microhttpd.h>
#include <stdbool.h>

// The pages that are read with GET or HEAD: /livez, /readyz, /metrics, /version. Both ports answer
// with them.
struct page;

// Which pages a port has.
enum page_port {
  PAGE_PLAIN,  // all
  PAGE_TLS,    // those that the kubelet asks for: /livez and /readyz
};

// NULL if the port has no page at this path.
const struct page *page_find(const char *path, enum page_port port);

// Answers with the page, or 405 to any other method. `leaving`: the client shall not keep the
// connection.
enum MHD_Result page_answer(const struct page *page, struct MHD_Connection *handle,
                            const char *method, bool leaving);
