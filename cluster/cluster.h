#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "cluster/fault.h"

// One API server: its address, whom to trust, who we are. The only code that talks HTTP to the API
// (design §1). TLS 1.2 or later, HTTP/1.1; redirects are not followed.
//
// A struct cluster is used by one thread at a time; only cluster_cancel() may be called from
// another. Two threads open two.

struct cluster;

// Where and how. Strings are borrowed for cluster_open() only. Of every pair of a text (PEM, token)
// and a file at most one is given; files are read at the first call and again when they change, so
// that projected tokens (about hourly) and CA files may be replaced.
struct cluster_settings {
  const char *server;       // "https://host[:port][/prefix]", no user and no query
  const char *server_name;  // tls-server-name: name in the certificate, instead of the host
  const char *proxy;        // proxy-url; NULL: none, "": what the environment names (as kubectl)
  const char *ca_pem;       // neither: the system's CAs
  const char *ca_file;
  const char *token;  // without its newline
  const char *token_file;
  const char *certificate_pem;  // client certificate and its key; both or none
  const char *key_pem;
  const char *certificate_file;
  const char *key_file;
  bool insecure;           // insecure-skip-tls-verify
  const char *namespace_;  // what cluster_namespace() returns; NULL: "default"
  const char *origin;      // for messages: "context dev of ./kubeconfig"
  unsigned connect_ms;     // 0: CLUSTER_CONNECT_MS
  unsigned attempt_ms;     // 0: CLUSTER_ATTEMPT_MS
  unsigned watch_idle_ms;  // 0: CLUSTER_WATCH_IDLE_MS
};

// A connection within one data centre takes milliseconds; two lost SYNs (1 s, 3 s) are survived.
#define CLUSTER_CONNECT_MS 5000U

// One attempt with its answer. The API server gives up on its own after 60 s (--request-timeout),
// and a page of a list takes seconds on a large cluster.
#define CLUSTER_ATTEMPT_MS 30000U

// The API server sends a bookmark about every minute to a watch that asks for them, so that three
// minutes of silence mean that nobody is there.
#define CLUSTER_WATCH_IDLE_MS 180000U

// The largest answer that is read. etcd refuses objects above 1.5 MiB (request size limit); a page
// of a list of large ones is asked for again in smaller pages.
#define CLUSTER_REPLY_MAX ((size_t)32 << 20)

// NULL with a fault: FAULT_SETTINGS or FAULT_MEMORY. Sends nothing.
struct cluster *cluster_open(const struct cluster_settings *settings, struct fault *fault);

// Wipes credentials. NULL is fine. Watches are closed before.
void cluster_close(struct cluster *cluster);

// Ends the call or wait that is under way with FAULT_CANCELLED within milliseconds, and every later
// one at once. From any thread; not from a signal handler.
void cluster_cancel(struct cluster *cluster);

// Borrowed, never NULL: for messages and findings; without credentials.
const char *cluster_server(const struct cluster *cluster);
const char *cluster_origin(const struct cluster *cluster);
const char *cluster_namespace(const struct cluster *cluster);

// ---- in a pod ----

// Where the kubelet mounts the service account.
#define CLUSTER_ACCOUNT_DIR "/var/run/secrets/kubernetes.io/serviceaccount"

// True if this process seems to run in a pod: KUBERNETES_SERVICE_HOST is set and `dir`
// (NULL: CLUSTER_ACCOUNT_DIR) holds a token.
bool cluster_is_in_pod(const char *dir);

// As cluster_open(), with KUBERNETES_SERVICE_HOST and _PORT, and token, ca.crt and namespace
// of `dir` (NULL: CLUSTER_ACCOUNT_DIR). `defaults` may be NULL; of it only the time-outs are taken.
struct cluster *cluster_open_in_pod(const char *dir, const struct cluster_settings *defaults,
                                    struct fault *fault);
