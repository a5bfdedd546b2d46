#include "cluster/transfer.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cluster/clock.h"
#include "cluster/fault_set.h"

// The longest wait in one go, so that nothing that was overlooked hangs for ever.
#define POLL_MAX_MS 1000

// libcurl calls this when the connection stands and before the first byte of the request.
static int before_request(void *data, char *peer_ip, char *local_ip, int peer_port,
                          int local_port) {
  (void)peer_ip;
  (void)peer_port;
  struct transfer *transfer = data;
  const struct request *request = transfer->request;
  // libcurl itself tries again when a connection that it had kept turns out to be closed.
  if (transfer->was_sent && !request->is_repeatable) {
    return CURL_PREREQFUNC_ABORT;
  }
  snprintf(transfer->connection.local_ip, sizeof transfer->connection.local_ip, "%s", local_ip);
  transfer->connection.local_port = local_port;
  const struct connection *verified = &transfer->cluster->verified;
  bool is_verified = verified->local_port == local_port &&
                     strcmp(verified->local_ip, transfer->connection.local_ip) == 0;
  if (request->is_write && !request->any_connection && !is_verified) {
    transfer->is_unverified = true;
    return CURL_PREREQFUNC_ABORT;
  }
  transfer->was_sent = true;
  return CURL_PREREQFUNC_OK;
}

static bool add_header(struct transfer *transfer, const char *name, const char *value) {
  size_t size = strlen(name) + strlen(value) + 3;
  char *line = malloc(size);
  if (line == NULL) {
    return false;
  }
  snprintf(line, size, "%s: %s", name, value);
  struct curl_slist *longer = curl_slist_append(transfer->headers, line);
  explicit_bzero(line, size);
  free(line);
  if (longer == NULL) {
    return false;
  }
  transfer->headers = longer;
  return true;
}

static bool add_token(struct transfer *transfer) {
  const struct material *token = &transfer->cluster->token;
  if (token->bytes == NULL) {
    return true;
  }
  size_t size = token->len + sizeof "Bearer ";
  char *value = malloc(size);
  if (value == NULL) {
    return false;
  }
  snprintf(value, size, "Bearer %s", token->bytes);
  bool added = add_header(transfer, "Authorization", value);
  explicit_bzero(value, size);
  free(value);
  return added;
}

static bool add_headers(struct transfer *transfer) {
  const struct request *request = transfer->request;
  const char *accept = request->accept == NULL ? "application/json" : request->accept;
  return add_header(transfer, "Accept", accept) && add_token(transfer) &&
         add_header(transfer, "Expect", "") &&  // no waiting for "100 Continue"
         (transfer->cluster->host == NULL ||
          add_header(transfer, "Host", transfer->cluster->host)) &&
         (request->content_type == NULL ||
          add_header(transfer, "Content-Type", request->content_type));
}

static CURLcode set_blob(CURL *easy, CURLoption option, const struct material *material) {
  if (material->bytes == NULL) {
    return CURLE_OK;
  }
  struct curl_blob blob = {material->bytes, material->len, CURL_BLOB_COPY};
  return curl_easy_setopt(easy, option, &blob);
}

// 0 stands for CURLE_OK, so that what went wrong is collected by "|".
static unsigned set_trust(CURL *easy, const struct cluster *cluster) {
  unsigned wrong = 0;
  wrong |= curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
  wrong |= curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, cluster->insecure ? 0L : 1L);
  wrong |= curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, cluster->insecure ? 0L : 2L);
  if (cluster->ca.bytes != NULL) {
    // Without this the CAs of the system would be trusted besides.
    wrong |= curl_easy_setopt(easy, CURLOPT_CAINFO, NULL);
    wrong |= curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
    wrong |= set_blob(easy, CURLOPT_CAINFO_BLOB, &cluster->ca);
  }
  wrong |= set_blob(easy, CURLOPT_SSLCERT_BLOB, &cluster->certificate);
  wrong |= set_blob(easy, CURLOPT_SSLKEY_BLOB, &cluster->key);
  wrong |= curl_easy_setopt(easy, CURLOPT_KEYPASSWD, "");  // never ask on a terminal
  return wrong;
}

static unsigned set_route(CURL *easy, const struct cluster *cluster) {
  unsigned wrong = 0;
  wrong |= curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "https");
  wrong |= curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
  if (cluster->proxy != NULL) {
    wrong |= curl_easy_setopt(easy, CURLOPT_PROXY, cluster->proxy);
  }
  if (cluster->connect != NULL) {
    wrong |= curl_easy_setopt(easy, CURLOPT_CONNECT_TO, cluster->connect);
  }
  wrong |= curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)cluster->connect_ms);
  wrong |= curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  wrong |= curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);  // do not wait for the resolver
  wrong |= curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
  wrong |= curl_easy_setopt(easy, CURLOPT_TCP_KEEPIDLE, 30L);
  wrong |= curl_easy_setopt(easy, CURLOPT_TCP_KEEPINTVL, 10L);
  return wrong;
}

static unsigned set_request(struct transfer *transfer, curl_write_callback sink, void *data) {
  CURL *easy = transfer->easy;
  const struct request *request = transfer->request;
  unsigned wrong = 0;
  wrong |= curl_easy_setopt(easy, CURLOPT_URL, transfer->url);
  wrong |= curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
  wrong |= curl_easy_setopt(easy, CURLOPT_USERAGENT, "rayfix/" RAYFIX_VERSION);
  if (request->content_type != NULL) {
    wrong |= curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body.len);
    wrong |= curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request->body.data);
  }
  wrong |= curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method);
  wrong |= curl_easy_setopt(easy, CURLOPT_HTTPHEADER, transfer->headers);
  wrong |= curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)request->timeout_ms);
  wrong |= curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, sink);
  wrong |= curl_easy_setopt(easy, CURLOPT_WRITEDATA, data);
  wrong |= curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->error);
  wrong |= curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer);
  wrong |= curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, before_request);
  wrong |= curl_easy_setopt(easy, CURLOPT_PREREQDATA, transfer);
  return wrong;
}

static char *url_of(const struct cluster *cluster, const char *path) {
  size_t size = strlen(cluster->base) + strlen(path) + 1;
  char *url = malloc(size);
  if (url != NULL) {
    snprintf(url, size, "%s%s", cluster->base, path);
  }
  return url;
}

int transfer_begin(struct transfer *transfer, struct cluster *cluster, CURL *easy,
                   const struct request *request, curl_write_callback sink, void *data,
                   struct fault *fault) {
  *transfer = (struct transfer){.cluster = cluster, .easy = easy, .request = request};
  if (cluster_refresh(cluster, fault) != 0) {
    return fault_wrap(fault, request->what);
  }
  curl_easy_reset(easy);
  transfer->url = url_of(cluster, request->path);
  if (transfer->url == NULL || !add_headers(transfer)) {
    transfer_end(transfer);
    return fault_set(fault, FAULT_MEMORY, "%s: out of memory", request->what);
  }
  unsigned wrong =
      set_trust(easy, cluster) | set_route(easy, cluster) | set_request(transfer, sink, data);
  if (wrong != 0 || curl_multi_add_handle(cluster->multi, easy) != CURLM_OK) {
    transfer_end(transfer);
    return fault_set(fault, FAULT_MEMORY, "%s: libcurl: out of memory", request->what);
  }
  transfer->running = true;
  return 0;
}

static int check_cancelled(const struct cluster *cluster, struct fault *fault) {
  return atomic_load(&cluster->cancelled) ? fault_set(fault, FAULT_CANCELLED, "cancelled") : 0;
}

int transfer_pump(struct cluster *cluster, struct fault *fault) {
  int running = 0;
  if (check_cancelled(cluster, fault) != 0) {
    return -1;
  }
  if (curl_multi_perform(cluster->multi, &running) != CURLM_OK) {
    return fault_set(fault, FAULT_MEMORY, "libcurl: out of memory");
  }
  int left = 0;
  for (CURLMsg *message = curl_multi_info_read(cluster->multi, &left); message != NULL;
       message = curl_multi_info_read(cluster->multi, &left)) {
    struct transfer *transfer = NULL;
    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer);
    if (message->msg == CURLMSG_DONE && transfer != NULL) {
      transfer->done = true;
      transfer->result = message->data.result;
    }
  }
  return 0;
}

void transfer_poll(struct cluster *cluster, int64_t ms) {
  int64_t wait = ms < 0 ? 0 : ms > POLL_MAX_MS ? POLL_MAX_MS : ms;
  curl_multi_poll(cluster->multi, NULL, 0, (int)wait, NULL);
}

int transfer_sleep(struct cluster *cluster, int64_t ms, struct fault *fault) {
  int64_t end = cluster_now_ms() + ms;
  for (int64_t left = ms; left > 0; left = end - cluster_now_ms()) {
    if (transfer_pump(cluster, fault) != 0) {
      return -1;
    }
    transfer_poll(cluster, left);
  }
  return check_cancelled(cluster, fault);
}

int transfer_code(const struct transfer *transfer) {
  long code = 0;
  curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &code);
  return (int)code;
}

int transfer_retry_after(const struct transfer *transfer) {
  struct curl_header *header = NULL;
  curl_off_t seconds = 0;
  if (curl_easy_header(transfer->easy, "Retry-After", 0, CURLH_HEADER, -1, &header) != CURLHE_OK ||
      curl_easy_getinfo(transfer->easy, CURLINFO_RETRY_AFTER, &seconds) != CURLE_OK) {
    return -1;
  }
  return seconds < 0 || seconds > INT_MAX ? -1 : (int)seconds;
}

bool transfer_is_json(const struct transfer *transfer) {
  const char *type = NULL;
  curl_easy_getinfo(transfer->easy, CURLINFO_CONTENT_TYPE, &type);
  return type != NULL && strncasecmp(type, "application/json", 16) == 0 &&
         strchr(" ;\t", type[16]) != NULL;
}

bool transfer_is_hopeless(const struct transfer *transfer) {
  switch ((int)transfer->result) {
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_WRITE_ERROR:
    case CURLE_OUT_OF_MEMORY:
      return true;
    default:
      return false;
  }
}

int transfer_fault(const struct transfer *transfer, struct fault *fault) {
  const char *why =
      transfer->error[0] != '\0' ? transfer->error : curl_easy_strerror(transfer->result);
  enum fault_kind kind = FAULT_UNREACHABLE;
  if (transfer->result == CURLE_ABORTED_BY_CALLBACK) {
    why = "the connection was closed before the answer";  // see before_request()
  }
  if (transfer->result == CURLE_OUT_OF_MEMORY) {
    kind = FAULT_MEMORY;
  } else if (transfer->result == CURLE_OPERATION_TIMEDOUT) {
    kind = FAULT_TIMEOUT;
  } else if (transfer->result == CURLE_SSL_CERTPROBLEM ||
             transfer->result == CURLE_SSL_CACERT_BADFILE) {
    kind = FAULT_SETTINGS;
  } else if (transfer->result == CURLE_WEIRD_SERVER_REPLY ||
             transfer->result == CURLE_UNSUPPORTED_PROTOCOL) {
    kind = FAULT_PROTOCOL;
  }
  return fault_set(fault, kind, "%s: %s: %s", transfer->request->what, transfer->cluster->server,
                   why);
}

// curl_slist_free_all() alone would leave the token in freed memory.
static void free_headers(struct curl_slist *headers) {
  for (struct curl_slist *item = headers; item != NULL; item = item->next) {
    explicit_bzero(item->data, strlen(item->data));
  }
  curl_slist_free_all(headers);
}

void transfer_end(struct transfer *transfer) {
  if (transfer->running) {
    curl_multi_remove_handle(transfer->cluster->multi, transfer->easy);
    transfer->running = false;
  }
  if (transfer->easy != NULL) {
    // What libcurl still points to is about to go.
    curl_easy_setopt(transfer->easy, CURLOPT_HTTPHEADER, NULL);
    curl_easy_setopt(transfer->easy, CURLOPT_POSTFIELDS, NULL);
    curl_easy_setopt(transfer->easy, CURLOPT_ERRORBUFFER, NULL);
    curl_easy_setopt(transfer->easy, CURLOPT_PRIVATE, NULL);
  }
  free_headers(transfer->headers);
  transfer->headers = NULL;
  free(transfer->url);
  transfer->url = NULL;
}
