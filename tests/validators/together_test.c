// All rules together, with their default actions: what a person reads who breaks many of them, and
// the updates of running clusters that must never be refused (semantics §4.4, §4.5).

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/suite.h"
#include "tests/validators/cases.h"
#include "tests/validators/verdict.h"

static struct arena *arena;
static struct admission_config *config;

// ---- objects ----

// The base after RFC 6902 operations, which may be empty. Free .data.
static struct owned_text edited(const char *base, const char *operations) {
  yyjson_doc *doc = case_base(&validator_cases, base);
  char list[8192];
  snprintf(list, sizeof list, "[%s]", operations);
  yyjson_doc *edit = values_parse(text_of(list), operations);
  struct owned_text text =
      values_change(yyjson_doc_get_root(doc), NULL, yyjson_doc_get_root(edit), operations);
  yyjson_doc_free(edit);
  yyjson_doc_free(doc);
  return text;
}

static struct verdict created(const char *kind, const char *base, const char *operations) {
  struct owned_text object = edited(base, operations);
  struct owned_text body =
      verdict_wrap(kind, "CREATE", owned_view(object), (struct text){NULL, 0}, NULL);
  struct verdict verdict = verdict_of(config, arena, owned_view(body));
  ck_assert_int_eq(verdict.status, ADMISSION_ANSWERED);
  free(body.data);
  free(object.data);
  return verdict;
}

// An update of the RayCluster "lim-cluster" after `before` to the same after `after`.
static struct verdict updated(const char *before, const char *after) {
  struct owned_text old_object = edited("lim-cluster", before);
  struct owned_text object = edited("lim-cluster", after);
  struct owned_text body =
      verdict_wrap("RayCluster", "UPDATE", owned_view(object), owned_view(old_object), NULL);
  struct verdict verdict = verdict_of(config, arena, owned_view(body));
  ck_assert_int_eq(verdict.status, ADMISSION_ANSWERED);
  free(body.data);
  free(object.data);
  free(old_object.data);
  return verdict;
}

static void check_allowed(struct verdict verdict, const char *warning) {
  ck_assert_msg(verdict.allowed, "denied: %s", verdict.answer.data);
  ck_assert_msg(warning == NULL || verdict_warns(&verdict, warning), "no warning \"%s\": %s",
                warning, verdict.answer.data);
  verdict_free(&verdict);
}

static void check_denied(struct verdict verdict, const char *words) {
  ck_assert_msg(!verdict.allowed, "allowed: %s", verdict.answer.data);
  ck_assert_int_eq(verdict.code, 403);
  ck_assert_str_eq(verdict.reason, "Forbidden");
  ck_assert_msg(strstr(verdict.message, words) != NULL, "\"%s\" is not in %s", words,
                verdict.message);
  verdict_free(&verdict);
}

#define WORKERS "/spec/workerGroupSpecs/"
#define CONTAINER "/template/spec/containers/0/resources/"
#define REPLACE(path, value) "{\"op\":\"replace\",\"path\":\"" path "\",\"value\":" value "}"
#define ADD(path, value) "{\"op\":\"add\",\"path\":\"" path "\",\"value\":" value "}"

// Something for every rule that refuses a cluster by default.
#define MANY_CPUS REPLACE(WORKERS "0" CONTAINER "limits/cpu", "\"20\"")
#define MUCH_MEMORY REPLACE(WORKERS "0" CONTAINER "limits/memory", "\"96Gi\"")
#define LOW_REQUEST REPLACE(WORKERS "0" CONTAINER "requests/cpu", "\"200m\"")
#define NO_QUANTITY REPLACE(WORKERS "0" CONTAINER "requests/memory", "\"lots\"")
#define MANY_WORKERS REPLACE(WORKERS "0/maxReplicas", "60")
#define MANY_GPUS REPLACE(WORKERS "1" CONTAINER "limits/nvidia.com~1gpu", "8")
#define BLANKET ADD(WORKERS "1/template/spec/tolerations/-", "{\"operator\":\"Exists\"}")
#define EVERYTHING_WRONG                                                                   \
  MANY_CPUS "," MUCH_MEMORY "," LOW_REQUEST "," NO_QUANTITY "," MANY_WORKERS "," MANY_GPUS \
            "," BLANKET

// ---- the words of a denial ----

START_TEST(one_message_lists_every_violation) {
  static const char *const wanted[] = {
      "rayfix refuses RayCluster 'raycluster-main': ",
      "\n- cpu-limit (V01): worker group 'cpu': container 'ray-worker' asks for 20 CPUs, limit is "
      "16. Path: spec.workerGroupSpecs[0].template.spec.containers[0].resources.limits.cpu; "
      "found: \"20\"; wanted: at most 16. Fix: lower the container's cpu to 16 or less, or raise "
      "validators.cpu-limit.max. Exempt: validators.cpu-limit.action in ",
      "\n- memory-limit (V02): worker group 'cpu': container 'ray-worker' asks for 96Gi memory",
      "\n- gpu-limit (V03): worker group 'gpu' asks for 8 GPUs per worker, limit is 4",
      "\n- max-workers (V04): total max workers 64 exceeds the limit of 50 (cpu: 60, gpu: 4)",
      "\n- max-gpus (V05): total max GPUs 32 exceeds the limit of 20 (gpu: 32)",
      "\n- min-requests (V06/V07): worker group 'cpu': container 'ray-worker': CPU request 200m",
      "\n- quantities (V15): worker group 'cpu': container 'ray-worker': requests.memory is not a ",
      "\n- repair-taints (V13): ",
  };
  struct verdict verdict = created("RayCluster", "lim-cluster", EVERYTHING_WRONG);
  ck_assert(!verdict.allowed);
  for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
    ck_assert_msg(strstr(verdict.message, wanted[i]) != NULL, "\"%s\" is not in %s", wanted[i],
                  verdict.message);
  }
  verdict_free(&verdict);
}
END_TEST

START_TEST(a_good_cluster_passes) {
  static const char *const samples[][2] = {{"RayCluster", "lim-cluster"},
                                           {"RayJob", "lim-job"},
                                           {"RayService", "lim-service"},
                                           {"RayCronJob", "lim-cronjob"}};
  for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
    check_allowed(created(samples[i][0], samples[i][1], ""), NULL);
  }
}
END_TEST

// ---- updates ----

#define DELETED ADD("/metadata/deletionTimestamp", "\"2026-01-01T00:00:00Z\"")

START_TEST(trap_43_finalizers_can_be_removed) {
  struct verdict verdict =
      updated(EVERYTHING_WRONG "," ADD("/metadata/finalizers", "[\"ray.io/cleanup\"]"),
              EVERYTHING_WRONG "," DELETED);
  ck_assert_uint_eq(verdict.violation_count, 0);
  check_allowed(verdict, NULL);
}
END_TEST

START_TEST(trap_44_the_autoscaler_can_scale) {
  check_allowed(
      updated(EVERYTHING_WRONG, EVERYTHING_WRONG "," REPLACE(WORKERS "0/replicas", "9") "," ADD(
                                    WORKERS "0/scaleStrategy", "{\"workersToDelete\":[\"w-1\"]}")),
      "(as before)");
}
END_TEST

START_TEST(trap_45_the_sum_may_only_shrink) {
  check_denied(
      updated(REPLACE(WORKERS "0/maxReplicas", "60"), REPLACE(WORKERS "0/maxReplicas", "70")),
      "total max workers 74 exceeds the limit of 50");
  check_denied(
      updated(REPLACE(WORKERS "0/maxReplicas", "40"), REPLACE(WORKERS "0/maxReplicas", "60")),
      "total max workers 64 exceeds the limit of 50");
  check_allowed(
      updated(REPLACE(WORKERS "0/maxReplicas", "70"), REPLACE(WORKERS "0/maxReplicas", "60")),
      "total max workers 64 exceeds the limit of 50");
}
END_TEST

// It defaults what is absent and writes quantities in canonical form.
START_TEST(the_operator_can_write_back) {
  static const char sent[] =
      REPLACE(WORKERS "0" CONTAINER "limits/cpu", "\"20000m\"") ",{\"op\":\"remove\",\"path\":"
                                                                 "\"" WORKERS "0/maxReplicas\"}";
  static const char written_back[] =
      MANY_CPUS "," REPLACE(WORKERS "0/maxReplicas", "2147483647") "," ADD("/metadata/annotations",
                                                                           "{\"ray.io/a\":\"b\"}");
  check_allowed(updated(sent, written_back), "asks for 20 CPUs");
}
END_TEST

START_TEST(a_cluster_can_be_resumed) {
  check_allowed(updated(EVERYTHING_WRONG "," ADD("/spec/suspend", "true"),
                        EVERYTHING_WRONG "," ADD("/spec/suspend", "false")),
                "(as before)");
}
END_TEST

START_TEST(a_new_mistake_in_an_old_cluster_is_refused_alone) {
  struct verdict verdict = updated(MANY_WORKERS, MANY_WORKERS "," MANY_CPUS);
  ck_assert(strstr(verdict.message, "total max workers") == NULL);
  ck_assert(verdict_warns(&verdict, "total max workers 64 exceeds"));
  check_denied(verdict, ": 1 violation\n- cpu-limit (V01)");
}
END_TEST

// Each old violation answers for one new one.
START_TEST(a_copied_group_is_new) {
  static const char copy[] =
      MANY_CPUS ",{\"op\":\"copy\",\"from\":\"" WORKERS "0\",\"path\":\"" WORKERS "0\"}";
  check_denied(updated(MANY_CPUS, copy), ": 1 violation\n- cpu-limit (V01)");
}
END_TEST

// ---- pods ----

#define OWNER                                                                                  \
  ADD("/metadata/ownerReferences",                                                             \
      "[{\"apiVersion\":\"ray.io/v1\",\"kind\":\"RayCluster\",\"name\":\"main\",\"uid\":\"u\"" \
      ",\"controller\":true}]")
#define TOO_MANY_CPUS REPLACE("/spec/containers/0/resources/limits/cpu", "\"20\"")

struct pod_row {
  enum pod_policy policy;
  bool owned;
  bool allowed;
  size_t warnings;
};

static const struct pod_row pod_rows[] = {
    {POD_POLICY_BARE, false, false, 0}, {POD_POLICY_BARE, true, true, 1},
    {POD_POLICY_HARD, false, false, 0}, {POD_POLICY_HARD, true, false, 0},
    {POD_POLICY_WARN, false, true, 1},  {POD_POLICY_WARN, true, true, 1},
    {POD_POLICY_OFF, false, true, 0},   {POD_POLICY_OFF, true, true, 0},
};
#define POD_ROW_COUNT (sizeof pod_rows / sizeof pod_rows[0])

START_TEST(pod_policy_decides_for_pods) {
  const struct pod_row *row = &pod_rows[_i];
  config->pod_policy = (int)row->policy;
  struct verdict verdict =
      created("Pod", "lim-worker", row->owned ? OWNER "," TOO_MANY_CPUS : TOO_MANY_CPUS);
  config->pod_policy = POD_POLICY_BARE;
  ck_assert_msg(verdict.allowed == row->allowed, "policy %s, %s: %s", pod_policy_names[row->policy],
                row->owned ? "owned" : "bare", verdict.answer.data);
  size_t warnings = verdict_warns(&verdict, "asks for 20 CPUs") ? 1 : 0;
  ck_assert_msg(warnings == row->warnings, "policy %s, %s: %s", pod_policy_names[row->policy],
                row->owned ? "owned" : "bare", verdict.answer.data);
  verdict_free(&verdict);
}
END_TEST

// Who is named as an owner without being the controller, or is of another group, owns nothing.
START_TEST(only_a_controlling_ray_cluster_is_an_owner) {
  static const char *const owners[] = {
      "[{\"apiVersion\":\"ray.io/v1\",\"kind\":\"RayCluster\",\"name\":\"m\"}]",
      "[{\"apiVersion\":\"ray.io/v1\",\"kind\":\"RayCluster\",\"controller\":false}]",
      "[{\"apiVersion\":\"ray.io/v1\",\"kind\":\"RayCluster\",\"controller\":\"true\"}]",
      "[{\"apiVersion\":\"ray.iot/v1\",\"kind\":\"RayCluster\",\"controller\":true}]",
      "[{\"apiVersion\":\"batch/v1\",\"kind\":\"Job\",\"controller\":true}]",
      "{\"apiVersion\":\"ray.io/v1\",\"kind\":\"RayCluster\",\"controller\":true}",
      "\"RayCluster\"",
  };
  for (size_t i = 0; i < sizeof owners / sizeof owners[0]; i++) {
    char edit[1024];
    snprintf(edit, sizeof edit,
             TOO_MANY_CPUS ",{\"op\":\"add\",\"path\":\"/metadata/ownerReferences\",\"value\":%s}",
             owners[i]);
    check_denied(created("Pod", "lim-worker", edit), "asks for 20 CPUs");
  }
}
END_TEST

static void set_up(void) {
  struct error error;
  arena = arena_new(ADMISSION_ARENA_FIRST, ADMISSION_ARENA_MAX);
  config = admission_config_new(&error);
  ck_assert_msg(config != NULL, "%s", error.text);
}

static void tear_down(void) {
  admission_config_free(config);
  arena_free(arena);
}

static void add_tests(TCase *tcase) {
  tcase_add_test(tcase, one_message_lists_every_violation);
  tcase_add_test(tcase, a_good_cluster_passes);
  tcase_add_test(tcase, trap_43_finalizers_can_be_removed);
  tcase_add_test(tcase, trap_44_the_autoscaler_can_scale);
  tcase_add_test(tcase, trap_45_the_sum_may_only_shrink);
  tcase_add_test(tcase, the_operator_can_write_back);
  tcase_add_test(tcase, a_cluster_can_be_resumed);
  tcase_add_test(tcase, a_new_mistake_in_an_old_cluster_is_refused_alone);
  tcase_add_test(tcase, a_copied_group_is_new);
  tcase_add_loop_test(tcase, pod_policy_decides_for_pods, 0, (int)POD_ROW_COUNT);
  tcase_add_test(tcase, only_a_controlling_ray_cluster_is_an_owner);
  tcase_add_unchecked_fixture(tcase, set_up, tear_down);
}

int main(void) {
  return run_suite("validators together", add_tests);
}
