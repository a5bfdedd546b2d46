#include <string.h>

#include "admission/pod.h"
#include "cli/doctor.h"
#include "cli/object.h"

// Nodes and DNS: what Ray clusters run into when they grow.

// Pods that a node runs besides Ray workers: network, proxy, storage, device plugin, GPU metrics,
// logs, node metrics, with room for as many again during a rolling update.
#define OTHER_PODS 20

// As the autoscaler of Kubernetes' own DNS add-on has it (cluster-proportional-autoscaler,
// dns-horizontal-autoscaler.yaml: nodesPerReplica 16, preventSinglePointOfFailure).
#define NODES_PER_REPLICA 16

// A whole number as nodes write it; 0 for anything else.
static unsigned long long count_of(const json_t *value) {
  unsigned long long count = 0;
  return json_is_string(value) &&
                 text_to_unsigned(text_of(json_string_value(value)), 1000000, &count)
             ? count
             : 0;
}

static unsigned long long gpus_of(const json_t *node) {
  static const struct text_list no_others = {NULL, 0};
  const char *key = NULL;
  json_t *value = NULL;
  unsigned long long gpus = 0;
  json_object_foreach(object_at(node, "status.allocatable"), key, value) {
    gpus += resource_is_gpu(text_of(key), &no_others) ? count_of(value) : 0;
  }
  return gpus;
}

void doctor_check_nodes(const struct snapshot *snapshot, struct finding_list *findings) {
  for (size_t i = 0; i < json_array_size(snapshot->nodes); i++) {
    const json_t *node = json_array_get(snapshot->nodes, i);
    const json_t *allocatable = object_at(node, "status.allocatable.pods");
    unsigned long long gpus = gpus_of(node);
    unsigned long long pods = count_of(allocatable);
    if (gpus == 0 || allocatable == NULL || pods >= gpus + OTHER_PODS) {
      continue;
    }
    struct finding_row row = {
        .severity = SEVERITY_WARNING,
        .check = "gpu-node-pods",
        .where = finding_text(findings, "Node/%s", object_name(node)),
        .what = finding_text(findings, "%llu GPUs, and room for %llu pods", gpus, pods),
        .why = finding_text(findings,
                            "one worker for each GPU and about %d other pods need %llu: GPUs stay "
                            "idle while workers wait with \"Too many pods\"",
                            OTHER_PODS, gpus + OTHER_PODS),
        .fix = "raise maxPods of the node pool (kubelet configuration; on clouds: pods per node)",
    };
    finding_add(findings, &row);
  }
}

// The Deployment behind kube-dns: CoreDNS carries that label everywhere. NULL if there is none.
static const json_t *find_dns(const json_t *deployments) {
  for (size_t i = 0; i < json_array_size(deployments); i++) {
    const json_t *deployment = json_array_get(deployments, i);
    const json_t *label = json_object_get(object_at(deployment, "metadata.labels"), "k8s-app");
    if (strcmp(object_namespace(deployment), "kube-system") == 0 && json_is_string(label) &&
        strcmp(json_string_value(label), "kube-dns") == 0) {
      return deployment;
    }
  }
  return NULL;
}

void doctor_check_dns(const struct snapshot *snapshot, struct finding_list *findings) {
  const json_t *dns = find_dns(snapshot->deployments);
  json_int_t nodes = (json_int_t)json_array_size(snapshot->nodes);
  if (dns == NULL || nodes == 0) {
    return;
  }
  json_int_t ready = object_integer(dns, "status.readyReplicas", 0);
  json_int_t wanted = (nodes + NODES_PER_REPLICA - 1) / NODES_PER_REPLICA;
  wanted = nodes > 1 && wanted < 2 ? 2 : wanted;
  if (ready >= wanted) {
    return;
  }
  struct finding_row row = {
      .severity = ready == 0 ? SEVERITY_ERROR : SEVERITY_WARNING,
      .check = "dns-replicas",
      .where = finding_text(findings, "Deployment/%s in kube-system", object_name(dns)),
      .what = finding_text(findings, "%lld ready replicas for %lld nodes", (long long)ready,
                           (long long)nodes),
      .why =
          "every Ray worker that starts asks for its head's name; a scale-up of hundreds "
          "overloads few replicas, and workers time out",
      .fix = finding_text(findings, "kubectl -n kube-system scale deployment %s --replicas=%lld",
                          object_name(dns), (long long)wanted),
  };
  finding_add(findings, &row);
}
