#pragma once

#include <curl/curl.h>
#include <stdatomic.h>
#include <stdint.h>

#include "admission/buffer.h"
#include "cluster/cluster.h"
#include "cluster/identity.h"
#include "cluster/material.h"

// Inside of struct cluster, for the files of this folder.

// An address that a connection had: our end of it, which no other connection has at that time.
struct connection {
  char local_ip[64];
  int local_port;  // 0: none
};

struct cluster {
  char *server;  // as given
  char *base;    // what URLs begin with: the server, with tls-server-name for its host
  struct curl_slist *connect;  // NULL, or host:port of `base` and where they really are
  char *host;                  // NULL, or the Host header with the real host
  char *proxy;                 // "" for none; NULL for what the environment says
  char *namespace_;
  char *origin;
  struct material ca;
  struct material token;
  struct material certificate;
  struct material key;
  bool insecure;
  unsigned connect_ms;
  unsigned attempt_ms;
  unsigned watch_idle_ms;
  CURLM *multi;  // calls and watches share it, so that one wake-up ends all
  CURL *easy;    // of calls; every watch has its own
  atomic_bool cancelled;
  char uid[CLUSTER_UID_MAX];   // of kube-system; "" until known
  struct connection verified;  // on which the UID was read last
  int64_t verified_ms;         // and when
  struct connection last;      // of the last call that was no write
};

// Makes `text` free of this cluster's secrets and of what looks like one.
void cluster_redact(const struct cluster *cluster, char *text, size_t size);

// Reads changed files of credentials. FAULT_SETTINGS.
int cluster_refresh(struct cluster *cluster, struct fault *fault);
