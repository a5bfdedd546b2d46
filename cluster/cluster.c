#include "cluster/cluster.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cluster/client.h"
#include "cluster/fault_set.h"
#include "cluster/redact.h"

// Connections that are kept: one for calls and one for each watch, with room for a few more.
#define CONNECTIONS_MAX 16L

static CURLcode curl_state;

static void begin_curl(void) {
  curl_state = curl_global_init(CURL_GLOBAL_DEFAULT);
}

// Copies `text`; NULL stays NULL. False when memory is short.
static bool copy(char **target, const char *text) {
  *target = text == NULL ? NULL : strdup(text);
  return text == NULL || *target != NULL;
}

static int refuse_server(const char *server, const char *why, struct fault *fault) {
  // A password in the address must not be shown.
  const char *shown = strchr(server, '@') == NULL ? server : "an address with a user";
  return fault_set(fault, FAULT_SETTINGS, "server: found \"%s\" (%s), wanted https://HOST[:PORT]",
                   shown, why);
}

// Parts of the server's address; strings are freed by parts_free().
struct parts {
  CURLU *url;
  char *scheme;
  char *user;
  char *query;
  char *fragment;
  char *host;
  char *port;
};

static void parts_free(struct parts *parts) {
  curl_free(parts->scheme);
  curl_free(parts->user);
  curl_free(parts->query);
  curl_free(parts->fragment);
  curl_free(parts->host);
  curl_free(parts->port);
  curl_url_cleanup(parts->url);
}

static int parts_read(struct parts *parts, const char *server, struct fault *fault) {
  parts->url = curl_url();
  if (parts->url == NULL) {
    return fault_out_of_memory(fault);
  }
  CURLUcode code = curl_url_set(parts->url, CURLUPART_URL, server, CURLU_NON_SUPPORT_SCHEME);
  if (code != CURLUE_OK) {
    return refuse_server(server, curl_url_strerror(code), fault);
  }
  curl_url_get(parts->url, CURLUPART_SCHEME, &parts->scheme, 0);
  curl_url_get(parts->url, CURLUPART_USER, &parts->user, 0);
  curl_url_get(parts->url, CURLUPART_QUERY, &parts->query, 0);
  curl_url_get(parts->url, CURLUPART_FRAGMENT, &parts->fragment, 0);
  curl_url_get(parts->url, CURLUPART_HOST, &parts->host, 0);
  curl_url_get(parts->url, CURLUPART_PORT, &parts->port, CURLU_DEFAULT_PORT);
  if (parts->scheme == NULL || strcmp(parts->scheme, "https") != 0) {
    return refuse_server(server, "without TLS", fault);
  }
  if (parts->user != NULL || parts->query != NULL || parts->fragment != NULL) {
    return refuse_server(server, "with a user, query or fragment", fault);
  }
  if (parts->host == NULL || parts->port == NULL) {
    return refuse_server(server, "without a host", fault);
  }
  return 0;
}

// "host:port:realhost:realport" and the Host header, so that the TLS name is another one.
static bool set_server_name(struct cluster *cluster, const struct parts *parts, const char *name) {
  char route[1100];
  int len =
      snprintf(route, sizeof route, "%s:%s:%s:%s", name, parts->port, parts->host, parts->port);
  if (len < 0 || (size_t)len >= sizeof route) {
    return false;
  }
  cluster->connect = curl_slist_append(NULL, route);
  snprintf(route, sizeof route, "%s:%s", parts->host, parts->port);
  return cluster->connect != NULL && copy(&cluster->host, route) &&
         curl_url_set(parts->url, CURLUPART_HOST, name, 0) == CURLUE_OK;
}

static int set_address(struct cluster *cluster, const struct cluster_settings *settings,
                       struct fault *fault) {
  __attribute__((cleanup(parts_free))) struct parts parts = {.url = NULL};
  if (settings->server == NULL) {
    return fault_set(fault, FAULT_SETTINGS, "server: found none, wanted https://HOST[:PORT]");
  }
  if (parts_read(&parts, settings->server, fault) != 0) {
    return -1;
  }
  const char *name = settings->server_name;
  if (name != NULL && name[0] != '\0' && !set_server_name(cluster, &parts, name)) {
    return fault_set(fault, FAULT_SETTINGS, "tls-server-name: found \"%s\", wanted a DNS name",
                     name);
  }
  char *base = NULL;
  curl_url_get(parts.url, CURLUPART_URL, &base, CURLU_NO_DEFAULT_PORT);
  bool copied = base != NULL && copy(&cluster->base, base);
  curl_free(base);
  if (!copied) {
    return fault_out_of_memory(fault);
  }
  for (size_t len = strlen(cluster->base); len > 0 && cluster->base[len - 1] == '/'; len--) {
    cluster->base[len - 1] = '\0';
  }
  return 0;
}

struct given {
  struct material *material;
  const char *name;
  const char *text;
  const char *file;
};

static int set_credentials(struct cluster *cluster, const struct cluster_settings *settings,
                           struct fault *fault) {
  const struct given all[] = {
      {&cluster->ca, "CA", settings->ca_pem, settings->ca_file},
      {&cluster->token, "token", settings->token, settings->token_file},
      {&cluster->certificate, "client certificate", settings->certificate_pem,
       settings->certificate_file},
      {&cluster->key, "client key", settings->key_pem, settings->key_file},
  };
  for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
    if (all[i].text != NULL && all[i].file != NULL) {
      return fault_set(fault, FAULT_SETTINGS, "%s: given as text and as a file", all[i].name);
    }
    if (material_set(all[i].material, all[i].text, all[i].file) != 0) {
      return fault_out_of_memory(fault);
    }
  }
  if (material_is_given(&cluster->certificate) != material_is_given(&cluster->key)) {
    return fault_set(fault, FAULT_SETTINGS, "client certificate and client key: found one of both");
  }
  // What would end the header and begin another one.
  if (text_has_controls(material_text(&cluster->token))) {
    return fault_set(fault, FAULT_SETTINGS, "token: found a control character or newline in it");
  }
  return 0;
}

static unsigned choose(unsigned given, unsigned standard) {
  return given == 0 ? standard : given;
}

static int set_all(struct cluster *cluster, const struct cluster_settings *settings,
                   struct fault *fault) {
  cluster->insecure = settings->insecure;
  cluster->connect_ms = choose(settings->connect_ms, CLUSTER_CONNECT_MS);
  cluster->attempt_ms = choose(settings->attempt_ms, CLUSTER_ATTEMPT_MS);
  cluster->watch_idle_ms = choose(settings->watch_idle_ms, CLUSTER_WATCH_IDLE_MS);
  const char *proxy = settings->proxy == NULL      ? ""
                      : settings->proxy[0] == '\0' ? NULL
                                                   : settings->proxy;
  const char *namespace_ = settings->namespace_;
  namespace_ = namespace_ == NULL || namespace_[0] == '\0' ? "default" : namespace_;
  const char *origin = settings->origin == NULL ? "given settings" : settings->origin;
  cluster->multi = curl_multi_init();
  cluster->easy = curl_easy_init();
  if (!copy(&cluster->server, settings->server) || !copy(&cluster->proxy, proxy) ||
      !copy(&cluster->namespace_, namespace_) || !copy(&cluster->origin, origin) ||
      cluster->multi == NULL || cluster->easy == NULL ||
      curl_multi_setopt(cluster->multi, CURLMOPT_MAXCONNECTS, CONNECTIONS_MAX) != CURLM_OK) {
    return fault_out_of_memory(fault);
  }
  return set_address(cluster, settings, fault) != 0 ? -1
                                                    : set_credentials(cluster, settings, fault);
}

struct cluster *cluster_open(const struct cluster_settings *settings, struct fault *fault) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, begin_curl);
  struct cluster *cluster = curl_state == CURLE_OK ? calloc(1, sizeof *cluster) : NULL;
  if (cluster == NULL) {
    fault_out_of_memory(fault);
    return NULL;
  }
  atomic_init(&cluster->cancelled, false);
  if (set_all(cluster, settings, fault) != 0) {
    cluster_close(cluster);
    return NULL;
  }
  return cluster;
}

void cluster_close(struct cluster *cluster) {
  if (cluster == NULL) {
    return;
  }
  curl_easy_cleanup(cluster->easy);
  curl_multi_cleanup(cluster->multi);
  curl_slist_free_all(cluster->connect);
  material_free(&cluster->ca);
  material_free(&cluster->token);
  material_free(&cluster->certificate);
  material_free(&cluster->key);
  if (cluster->proxy != NULL) {
    explicit_bzero(cluster->proxy, strlen(cluster->proxy));  // it may have a password
  }
  free(cluster->server);
  free(cluster->base);
  free(cluster->host);
  free(cluster->proxy);
  free(cluster->namespace_);
  free(cluster->origin);
  free(cluster);
}

void cluster_cancel(struct cluster *cluster) {
  atomic_store(&cluster->cancelled, true);
  curl_multi_wakeup(cluster->multi);
}

const char *cluster_server(const struct cluster *cluster) {
  return cluster->server;
}

const char *cluster_origin(const struct cluster *cluster) {
  return cluster->origin;
}

const char *cluster_namespace(const struct cluster *cluster) {
  return cluster->namespace_;
}

void cluster_redact(const struct cluster *cluster, char *text, size_t size) {
  const struct text secrets[] = {material_text(&cluster->token), text_of(cluster->proxy)};
  // A proxy without a user is no secret, and messages need it.
  size_t count = cluster->proxy != NULL && strchr(cluster->proxy, '@') != NULL ? 2 : 1;
  redact(text, size, secrets, count);
}

int cluster_refresh(struct cluster *cluster, struct fault *fault) {
  struct material *const all[] = {&cluster->ca, &cluster->token, &cluster->certificate,
                                  &cluster->key};
  struct error error;
  for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
    if (material_refresh(all[i], &error) != 0) {
      return fault_set(fault, FAULT_SETTINGS, "%s", error.text);
    }
  }
  if (text_has_controls(material_text(&cluster->token))) {
    return fault_set(fault, FAULT_SETTINGS,
                     "%s: found a newline or control character inside, "
                     "wanted a token alone",
                     cluster->token.path);
  }
  return 0;
}
