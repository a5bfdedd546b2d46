#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cluster/cluster.h"
#include "cluster/fault_set.h"
#include "cluster/material.h"

// How client-go's rest.InClusterConfig() finds the API server.
#define HOST_VARIABLE "KUBERNETES_SERVICE_HOST"
#define PORT_VARIABLE "KUBERNETES_SERVICE_PORT"

// Room for the folder and a name in it.
#define PATH_ROOM 4096

static const char *folder_of(const char *dir) {
  return dir == NULL ? CLUSTER_ACCOUNT_DIR : dir;
}

static bool join(char path[PATH_ROOM], const char *dir, const char *name) {
  int len = snprintf(path, PATH_ROOM, "%s/%s", dir, name);
  return len > 0 && len < PATH_ROOM;
}

static const char *variable(const char *name) {
  const char *value = getenv(name);
  return value == NULL || value[0] == '\0' ? NULL : value;
}

bool cluster_is_in_pod(const char *dir) {
  char path[PATH_ROOM];
  return variable(HOST_VARIABLE) != NULL && join(path, folder_of(dir), "token") &&
         access(path, R_OK) == 0;
}

static int server_of_environment(char *server, size_t size, struct fault *fault) {
  const char *host = variable(HOST_VARIABLE);
  const char *port = variable(PORT_VARIABLE);
  if (host == NULL || port == NULL) {
    return fault_set(fault, FAULT_SETTINGS,
                     "%s is not set: this is no pod, or its service account is not mounted "
                     "(automountServiceAccountToken)",
                     host == NULL ? HOST_VARIABLE : PORT_VARIABLE);
  }
  bool is_ipv6 = strchr(host, ':') != NULL && host[0] != '[';
  int len = snprintf(server, size, is_ipv6 ? "https://[%s]:%s" : "https://%s:%s", host, port);
  return len < 0 || (size_t)len >= size
             ? fault_set(fault, FAULT_SETTINGS, HOST_VARIABLE ": found more than a name of a host")
             : 0;
}

struct cluster *cluster_open_in_pod(const char *dir, const struct cluster_settings *defaults,
                                    struct fault *fault) {
  char server[512];
  char token[PATH_ROOM];
  char ca[PATH_ROOM];
  char namespace_path[PATH_ROOM];
  dir = folder_of(dir);
  if (!join(token, dir, "token") || !join(ca, dir, "ca.crt") ||
      !join(namespace_path, dir, "namespace")) {
    fault_set(fault, FAULT_SETTINGS, "the folder of the service account: its name is too long");
    return NULL;
  }
  if (server_of_environment(server, sizeof server, fault) != 0) {
    return NULL;
  }
  struct material name = {.path = namespace_path};
  struct error ignored;
  bool has_name = material_refresh(&name, &ignored) == 0;  // "default" without the file
  struct cluster_settings settings = {
      .server = server,
      .token_file = token,
      .ca_file = ca,
      .namespace_ = has_name ? name.bytes : NULL,
      .origin = "the service account of this pod",
      .connect_ms = defaults == NULL ? 0 : defaults->connect_ms,
      .attempt_ms = defaults == NULL ? 0 : defaults->attempt_ms,
      .watch_idle_ms = defaults == NULL ? 0 : defaults->watch_idle_ms,
  };
  struct cluster *cluster = cluster_open(&settings, fault);
  free(name.bytes);
  return cluster;
}
