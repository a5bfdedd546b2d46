// What the answer to a RayCluster with 30 worker groups costs, from bytes to bytes, as a multiple
// of parsing the same bytes with the same parser in the same run. The bar is 3. Both sides are the
// best of several rounds: what disturbs a round only makes it longer.

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <yyjson.h>

#include "admission/json.h"
#include "admission/review.h"

#define GROUPS 30
#define ROUNDS 15
#define REPEATS 400
#define BAR 3.0

// ---- the review, in the shape in which the API server sends it ----

static void put_container(struct buffer *out, const char *name, bool gpu) {
  const char *gpus = gpu ? ",\"nvidia.com/gpu\":\"1\"" : "";
  buffer_printf(out,
                "{\"name\":\"%s\",\"image\":\"rayproject/ray:2.46.0\",\"imagePullPolicy\":"
                "\"IfNotPresent\",\"env\":[{\"name\":\"RAY_GRAFANA_HOST\",\"value\":"
                "\"http://prometheus-grafana.prometheus-system.svc:80\"},{\"name\":\"HF_TOKEN\","
                "\"valueFrom\":{\"secretKeyRef\":{\"name\":\"hf-secret\",\"key\":\"hf_token\"}}}],"
                "\"lifecycle\":{\"preStop\":{\"exec\":{\"command\":[\"/bin/sh\",\"-c\",\"ray "
                "stop\"]}}},\"ports\":[{\"containerPort\":8080,\"name\":\"metrics\",\"protocol\":"
                "\"TCP\"}],\"resources\":{\"limits\":{\"cpu\":\"8\",\"memory\":\"32Gi\"%s},"
                "\"requests\":{\"cpu\":\"8\",\"memory\":\"32Gi\"%s}},\"volumeMounts\":["
                "{\"mountPath\":\"/tmp/ray\",\"name\":\"log-volume\"},{\"mountPath\":\"/data\","
                "\"name\":\"data\"}],\"securityContext\":{}}",
                name, gpus, gpus);
}

static void put_template(struct buffer *out, const char *container, bool gpu) {
  buffer_printf(out,
                "\"rayStartParams\":{\"block\":\"true\"},\"template\":{\"metadata\":{\"labels\":"
                "{\"app\":\"training\",\"team\":\"vision\"},\"annotations\":{}},\"spec\":{"
                "\"affinity\":{},\"imagePullSecrets\":[],\"nodeSelector\":{\"pool\":\"ray\"},"
                "\"serviceAccountName\":\"ray\",\"tolerations\":[{\"key\":\"nvidia.com/gpu\","
                "\"operator\":\"Exists\",\"effect\":\"NoSchedule\"}],\"volumes\":[{\"name\":"
                "\"log-volume\",\"emptyDir\":{}},{\"name\":\"data\",\"persistentVolumeClaim\":"
                "{\"claimName\":\"data\"}}],\"containers\":[");
  put_container(out, container, gpu);
  buffer_printf(out, "]}}");
}

static void put_spec(struct buffer *out) {
  buffer_printf(out,
                "\"spec\":{\"rayVersion\":\"2.46.0\",\"enableInTreeAutoscaling\":true,"
                "\"headGroupSpec\":{");
  put_template(out, "ray-head", false);
  buffer_printf(out, "},\"workerGroupSpecs\":[");
  for (int i = 0; i < GROUPS; i++) {
    buffer_printf(out,
                  "%s{\"groupName\":\"group-%d\",\"replicas\":0,\"minReplicas\":0,\"maxReplicas\":"
                  "1,\"numOfHosts\":1,",
                  i == 0 ? "" : ",", i);
    put_template(out, "ray-worker", i % 2 == 0);
    buffer_printf(out, "}");
  }
  buffer_printf(out, "]}");
}

// What kubectl apply keeps of the manifest, as one string, and what the API server notes of it.
static void put_applied(struct buffer *out) {
  buffer_auto manifest = {.max = (size_t)1 << 20};
  buffer_printf(&manifest,
                "{\"apiVersion\":\"ray.io/v1\",\"kind\":\"RayCluster\",\"metadata\":{"
                "\"annotations\":{},\"labels\":{\"app\":\"training\"},\"name\":"
                "\"training\",\"namespace\":\"team-vision\"},");
  put_spec(&manifest);
  buffer_printf(&manifest, "}\n");
  buffer_printf(out, ",\"annotations\":{\"kubectl.kubernetes.io/last-applied-configuration\":");
  buffer_append_json_string(out, (struct text){manifest.data, manifest.len});
  buffer_printf(
      out,
      "},\"managedFields\":[{\"manager\":\"kubectl-client-side-apply\",\"operation\":"
      "\"Update\",\"apiVersion\":\"ray.io/v1\",\"time\":\"2026-01-01T00:00:00Z\","
      "\"fieldsType\":\"FieldsV1\",\"fieldsV1\":{\"f:metadata\":{\"f:annotations\":{\".\":"
      "{},\"f:kubectl.kubernetes.io/last-applied-configuration\":{}},\"f:labels\":{\".\":"
      "{},\"f:app\":{}}},\"f:spec\":{\".\":{},\"f:enableInTreeAutoscaling\":{},"
      "\"f:headGroupSpec\":{},\"f:rayVersion\":{},\"f:workerGroupSpecs\":{}}}}]");
}

static void put_review(struct buffer *out, bool applied) {
  buffer_printf(out,
                "{\"kind\":\"AdmissionReview\",\"apiVersion\":\"admission.k8s.io/v1\",\"request\":{"
                "\"uid\":\"705ab4f5-6393-11e8-b7cc-42010a800002\",\"kind\":{\"group\":\"ray.io\","
                "\"version\":\"v1\",\"kind\":\"RayCluster\"},\"resource\":{\"group\":\"ray.io\","
                "\"version\":\"v1\",\"resource\":\"rayclusters\"},\"name\":\"training\","
                "\"namespace\":\"team-vision\",\"operation\":\"CREATE\",\"userInfo\":{\"username\":"
                "\"kubernetes-admin\",\"groups\":[\"system:masters\"]},\"object\":{\"apiVersion\":"
                "\"ray.io/v1\",\"kind\":\"RayCluster\",\"metadata\":{\"name\":\"training\","
                "\"namespace\":\"team-vision\",\"labels\":{\"app\":\"training\"}");
  if (applied) {
    put_applied(out);
  }
  buffer_printf(out, "},");
  put_spec(out);
  buffer_printf(out, "},\"oldObject\":null,\"dryRun\":false,\"options\":null}}");
}

// ---- the two sides, in nanoseconds a review ----

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

// With the pool that the server reads into, so that both sides pay the same for memory.
static double time_parsing(const struct buffer *review, struct arena *arena) {
  double start = now();
  for (int i = 0; i < REPEATS; i++) {
    arena_reset(arena);
    if (yyjson_read_opts(review->data, review->len, JSON_READ_FLAGS, arena_yyjson(arena), NULL) ==
        NULL) {
      exit(3);
    }
  }
  return (now() - start) / REPEATS;
}

static double time_judging(const struct admission_config *config, const struct buffer *review,
                           struct arena *arena, struct buffer *answer) {
  double start = now();
  for (int i = 0; i < REPEATS; i++) {
    struct decision decision;
    answer->len = 0;
    if (admission_review(config, PHASE_VALIDATE, arena, review->data, review->len, answer,
                         &decision) != ADMISSION_ANSWERED ||
        !decision.allowed || decision.report_count == 0) {
      fprintf(stderr, "validate_cost: not judged: %.*s\n", TEXT_ARG(decision.message));
      exit(3);
    }
  }
  return (now() - start) / REPEATS;
}

static double least(double a, double b) {
  return b < a ? b : a;
}

// The ratio.
static double measure(const struct admission_config *config, struct arena *arena, bool applied) {
  buffer_auto review = {.max = (size_t)1 << 20};
  buffer_auto answer = {.max = (size_t)1 << 20};
  put_review(&review, applied);
  if (review.failed) {
    fprintf(stderr, "validate_cost: out of memory\n");
    exit(3);
  }
  double parsing = 1e18;
  double judging = 1e18;
  for (int i = 0; i < ROUNDS; i++) {
    parsing = least(parsing, time_parsing(&review, arena));
    judging = least(judging, time_judging(config, &review, arena, &answer));
  }
  printf("%-34s %8zu %11.1f %12.1f %8.2f x\n",
         applied ? "as kubectl apply sends it" : "without the annotation of kubectl", review.len,
         parsing / 1e3, judging / 1e3, judging / parsing);
  return judging / parsing;
}

int main(void) {
  struct error error;
  struct admission_config *config = admission_config_new(&error);
  struct arena *arena = arena_new(ADMISSION_ARENA_FIRST, ADMISSION_ARENA_MAX);
  if (config == NULL || arena == NULL) {
    fprintf(stderr, "validate_cost: out of memory\n");
    return 3;
  }
  printf("%-34s %8s %11s %12s %10s\n", "RayCluster, 30 worker groups", "bytes", "parsing us",
         "judging us", "ratio");
  double ratio = measure(config, arena, true);
  measure(config, arena, false);
  printf("bar: below %.0f x as kubectl apply sends it: %s\n", BAR,
         ratio < BAR ? "holds" : "MISSED");
  arena_free(arena);
  admission_config_free(config);
  return ratio < BAR ? 0 : 1;
}
