#include <stdio.h>
#include <string.h>

#include "cli/doctor.h"
#include "cli/object.h"

// Our own installation: is it there, does it run, is it one version, is it this cluster's?

#define CHECK "installation"

// matchConditions of webhooks, which ours use, are in every cluster from 1.28 on (beta, on).
#define KUBERNETES_MINOR_MIN 28

#define INSTALL "kubectl apply -f install.yaml"

static void add(struct finding_list *findings, enum severity severity, const char *check,
                const char *where, const char *what, const char *why, const char *fix) {
  finding_add(findings, &(struct finding_row){severity, check, where, what, why, fix});
}

static void check_configuration(const struct snapshot *snapshot, const char *kind,
                                const json_t *items, const char *why,
                                struct finding_list *findings) {
  if (items != NULL && object_find(items, NULL, snapshot->own_name) == NULL) {
    // Only one of both is a choice that the components make (validation-only).
    add(findings, SEVERITY_WARNING, CHECK,
        finding_text(findings, "%s/%s", kind, snapshot->own_name), "does not exist", why, INSTALL);
  }
}

static void check_replicas(const struct snapshot *snapshot, const json_t *deployment,
                           const char *where, struct finding_list *findings) {
  json_int_t wanted = object_integer(deployment, "spec.replicas", 1);
  json_int_t ready = object_integer(deployment, "status.readyReplicas", 0);
  const char *logs =
      finding_text(findings, "kubectl -n %s describe pods -l app.kubernetes.io/name=%s",
                   snapshot->own_namespace, snapshot->own_name);
  const char *scale = finding_text(findings, "kubectl -n %s scale deployment %s --replicas=2",
                                   snapshot->own_namespace, snapshot->own_name);
  if (wanted == 0) {
    add(findings, SEVERITY_ERROR, CHECK, where, "is scaled to no replica",
        "Ray resources cannot be created, and pods start without the fixes", scale);
  } else if (ready == 0) {
    add(findings, SEVERITY_ERROR, CHECK, where, "no replica is ready",
        "Ray resources cannot be created, and pods start without the fixes", logs);
  } else if (ready < wanted) {
    add(findings, SEVERITY_WARNING, CHECK, where,
        finding_text(findings, "%lld of %lld replicas are ready", (long long)ready,
                     (long long)wanted),
        "the next failure leaves fewer or none", logs);
  } else if (wanted < 2) {
    add(findings, SEVERITY_WARNING, CHECK, where, "has one replica",
        "while it restarts or its node is drained, Ray resources cannot be created", scale);
  }
}

// The image of the container that is named after us; "" if there is none.
static const char *image_of(const json_t *pod_spec, const char *name) {
  const json_t *containers = json_object_get(pod_spec, "containers");
  for (size_t i = 0; i < json_array_size(containers); i++) {
    const json_t *container = json_array_get(containers, i);
    if (strcmp(object_string(container, "name"), name) == 0) {
      return object_string(container, "image");
    }
  }
  return "";
}

// Behind the last ':' that is not of a port; "" without a tag.
static struct text tag_of(const char *image) {
  struct text text = text_cut(text_of(image), strcspn(image, "@"));
  for (size_t i = text.len; i > 0 && text.data[i - 1] != '/'; i--) {
    if (text.data[i - 1] == ':') {
      return text_slice(text, i, text.len);
    }
  }
  return TEXT("");
}

static void check_versions(const struct snapshot *snapshot, const json_t *deployment,
                           const char *where, struct finding_list *findings) {
  const char *image = image_of(object_at(deployment, "spec.template.spec"), snapshot->own_name);
  struct text tag = tag_of(image);
  if (tag.len > 0 && !text_equals(tag, text_of(snapshot->own_version))) {
    add(findings, SEVERITY_NOTE, "version", where,
        finding_text(findings, "runs %s; this program is %s", image, snapshot->own_version),
        "the rules of both may differ", "");
  }
  for (size_t i = 0; i < json_array_size(snapshot->own_pods); i++) {
    const json_t *pod = json_array_get(snapshot->own_pods, i);
    const char *running = image_of(json_object_get(pod, "spec"), snapshot->own_name);
    bool is_going = object_at(pod, "metadata.deletionTimestamp") != NULL;
    if (!is_going && running[0] != '\0' && strcmp(running, image) != 0) {
      add(findings, SEVERITY_WARNING, "version",
          finding_text(findings, "Pod/%s in %s", object_name(pod), snapshot->own_namespace),
          finding_text(findings, "runs %s, the Deployment says %s", running, image),
          "requests are judged by both versions in turn",
          finding_text(findings, "kubectl -n %s rollout status deployment/%s",
                       snapshot->own_namespace, snapshot->own_name));
    }
  }
}

static void check_kubernetes(const struct snapshot *snapshot, struct finding_list *findings) {
  struct text minor = text_of(object_string(snapshot->version, "minor"));  // some write "28+"
  unsigned long long number = 0;
  minor =
      minor.len > 0 && minor.data[minor.len - 1] == '+' ? text_cut(minor, minor.len - 1) : minor;
  if (text_to_unsigned(minor, 1000, &number) && number < KUBERNETES_MINOR_MIN) {
    add(findings, SEVERITY_WARNING, "version", "Kubernetes",
        finding_text(findings, "is %s", object_string(snapshot->version, "gitVersion")),
        "before 1.28 matchConditions are left out: objects that are being deleted are judged too",
        "upgrade the cluster");
  }
}

bool doctor_server_has_token(const struct snapshot *snapshot) {
  const json_t *deployment =
      object_find(snapshot->deployments, snapshot->own_namespace, snapshot->own_name);
  return !json_is_false(object_at(deployment, "spec.template.spec.automountServiceAccountToken"));
}

void doctor_check_installation(const struct snapshot *snapshot, struct finding_list *findings) {
  const json_t *deployment =
      object_find(snapshot->deployments, snapshot->own_namespace, snapshot->own_name);
  const char *where =
      finding_text(findings, "Deployment/%s in %s", snapshot->own_name, snapshot->own_namespace);
  check_kubernetes(snapshot, findings);
  check_configuration(snapshot, "MutatingWebhookConfiguration", snapshot->mutating,
                      "pods start without the fixes", findings);
  check_configuration(snapshot, "ValidatingWebhookConfiguration", snapshot->validating,
                      "nothing is refused", findings);
  if (deployment != NULL) {
    check_replicas(snapshot, deployment, where, findings);
    check_versions(snapshot, deployment, where, findings);
  } else if (snapshot->deployments != NULL) {
    add(findings, SEVERITY_ERROR, CHECK, where, "does not exist",
        "rayfix is not installed here, or under another name (--namespace, --name)", INSTALL);
  }
}

void doctor_check_identity(const struct snapshot *snapshot, struct finding_list *findings) {
  const json_t *value = json_object_get(object_at(snapshot->certificate, "metadata.annotations"),
                                        "rayfix.io/cluster-uid");
  const char *pinned = json_string_value(value);
  if (pinned != NULL && snapshot->cluster_uid[0] != '\0' &&
      strcmp(pinned, snapshot->cluster_uid) != 0) {
    add(findings, SEVERITY_ERROR, "identity",
        finding_text(findings, "Secret/%s in %s", object_name(snapshot->certificate),
                     snapshot->own_namespace),
        finding_text(findings,
                     "was made in the cluster with UID %s of namespace kube-system; this one has "
                     "%s",
                     pinned, snapshot->cluster_uid),
        "it was copied or restored; the server changes its CA as soon as it sees that, so it does "
        "not run, or it may not write",
        finding_text(findings, "see why it does not: kubectl -n %s logs deployment/%s",
                     snapshot->own_namespace, snapshot->own_name));
  }
}

void doctor_check_access(const struct snapshot *snapshot, struct finding_list *findings) {
  for (size_t i = 0; i < json_array_size(snapshot->access); i++) {
    const json_t *review = json_array_get(snapshot->access, i);
    const json_t *wanted = object_at(review, "spec.resourceAttributes");
    const char *name = object_string(wanted, "name");
    const char *namespace_ = object_string(wanted, "namespace");
    if (json_is_true(object_at(review, "status.allowed"))) {
      continue;
    }
    add(findings, SEVERITY_ERROR, "permissions",
        finding_text(findings, "ServiceAccount/%s in %s", snapshot->own_name,
                     snapshot->own_namespace),
        finding_text(findings, "may not %s %s%s%s%s%s", object_string(wanted, "verb"),
                     object_string(wanted, "resource"), name[0] == '\0' ? "" : "/", name,
                     namespace_[0] == '\0' ? "" : " in ", namespace_),
        "certificates cannot be renewed", INSTALL);
  }
}
