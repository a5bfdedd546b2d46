#include "admission/pod.h"

#include "admission/buffer.h"
#include "admission/json.h"
#include "tests/unit/suite.h"

static struct arena *arena;
static struct pod_view pod;

static void setup(void) {
  arena = arena_new(4096, 1 << 20);
}

static void teardown(void) {
  arena_free(arena);
}

static yyjson_val *parse(const char *json) {
  yyjson_doc *doc = yyjson_read_opts((char *)(uintptr_t)json, strlen(json), JSON_READ_FLAGS,
                                     arena_yyjson(arena), NULL);
  ck_assert_ptr_nonnull(doc);
  return yyjson_doc_get_root(doc);
}

static void view(const char *json) {
  struct text_list more = {(struct text[]){TEXT("gpu.intel.com/xe")}, 1};
  ck_assert_int_eq(pod_view_read(parse(json), &more, arena, &pod), 0);
}

static void view_containers(const char *containers) {
  struct text json = arena_printf(arena, "{\"spec\":{\"containers\":[%s]}}", containers);
  view(json.data);
}

#define ENV(name) "{\"name\":\"" name "\",\"value\":\"1\"}"

START_TEST(roles) {
  static const struct {
    const char *label;
    enum pod_role role;
  } rows[] = {{"\"head\"", POD_ROLE_HEAD},
              {"\"worker\"", POD_ROLE_WORKER},
              {"\"redis-cleanup\"", POD_ROLE_NONE},
              {"\"Worker\"", POD_ROLE_NONE},
              {"7", POD_ROLE_NONE},
              {"\"worker\\u0000\"", POD_ROLE_NONE}};
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    view(arena_printf(arena, "{\"metadata\":{\"labels\":{\"ray.io/node-type\":%s}}}", rows[i].label)
             .data);
    ck_assert_int_eq(pod.role, rows[i].role);
  }
}
END_TEST

// semantics §1.2, Decision 3: the surest evidence over the whole list wins, then the first.
START_TEST(trap_10_ray_container) {
  view_containers(
      "{\"name\":\"istio-proxy\"},{\"name\":\"x\",\"env\":[" ENV("KUBERAY_GEN_RAY_START_CMD") "]}");
  ck_assert_uint_eq(pod.ray->index, 1);
  view_containers(
      "{\"name\":\"ray-worker\"},{\"name\":\"x\",\"args\":[\"ulimit; ray start --x\"]}");
  ck_assert_uint_eq(pod.ray->index, 1);
  view_containers("{\"name\":\"a\",\"env\":[" ENV("RAY_USAGE_STATS_KUBERAY_IN_USE") "]},"
                  "{\"name\":\"b\",\"env\":[" ENV("KUBERAY_GEN_RAY_START_CMD") "]}");
  ck_assert_uint_eq(pod.ray->index, 1);
  view_containers("{\"name\":\"istio-proxy\"},{\"name\":\"ray-head\"},{\"name\":\"ray-worker\"}");
  ck_assert_uint_eq(pod.ray->index, 1);
  view_containers("{\"name\":\"a\"},{\"name\":\"b\"}");
  ck_assert_uint_eq(pod.ray->index, 0);
  view("{\"spec\":{\"containers\":[]}}");
  ck_assert_ptr_null(pod.ray);
}
END_TEST

START_TEST(environment) {
  view_containers(
      "{\"env\":[{\"name\":\"A\",\"value\":\"1\"},{\"name\":\"A\",\"value\":\"2\"},"
      "{\"name\":\"E\",\"value\":\"x$(A)\"},{\"name\":\"B\",\"valueFrom\":{}},"
      "{\"name\":\"C\"},7]}");
  struct env_value a = container_env(pod.ray, TEXT("A"));
  ck_assert(a.kind == ENV_LITERAL && text_equals(a.value, TEXT("2")));
  ck_assert_int_eq(container_env(pod.ray, TEXT("B")).kind, ENV_INDIRECT);
  ck_assert_int_eq(container_env(pod.ray, TEXT("C")).kind, ENV_LITERAL);
  ck_assert_int_eq(container_env(pod.ray, TEXT("D")).kind, ENV_ABSENT);
  ck_assert_int_eq(container_env(pod.ray, TEXT("E")).kind, ENV_INDIRECT);  // the kubelet expands it
}
END_TEST

START_TEST(shells) {
  static const struct {
    const char *command;
    enum container_shell shell;
  } rows[] = {{"[\"/bin/bash\",\"-lc\",\"--\"]", SHELL_BASH_LOGIN},
              {"[\"/bin/bash\",\"-cl\",\"--\"]", SHELL_BASH_LOGIN},
              {"[\"bash\",\"--login\",\"-c\"]", SHELL_BASH_LOGIN},
              {"[\"/bin/bash\",\"-c\",\"--\"]", SHELL_BASH},
              {"[\"/bin/sh\",\"-c\"]", SHELL_OTHER},
              {"\"bash\"", SHELL_OTHER},
              {"[]", SHELL_OTHER}};
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    view_containers(arena_printf(arena, "{\"command\":%s}", rows[i].command).data);
    ck_assert_int_eq(container_shell(pod.ray), rows[i].shell);
  }
}
END_TEST

// semantics §7, trap 29: a GPU only in limits; init containers are not counted.
START_TEST(trap_29_gpus) {
  view(
      "{\"spec\":{\"initContainers\":[{\"resources\":{\"limits\":{\"nvidia.com/gpu\":\"9\"}}}],"
      "\"containers\":[{\"resources\":{\"limits\":{\"nvidia.com/gpu\":\"2\"},"
      "\"requests\":{\"nvidia.com/gpu\":\"2\",\"nvidia.com/mig-1g.5gb\":3,\"cpu\":\"1\"}}},"
      "{\"resources\":{\"requests\":{\"google.com/tpu\":\"4\",\"gpu.intel.com/xe\":\"1\"}}}]}}");
  ck_assert(pod.gpus.nano == 6 * QUANTITY_NANO);
  ck_assert_uint_eq(pod.extended_count, 4);
}
END_TEST

START_TEST(gpu_names) {
  struct text_list more = {(struct text[]){TEXT("habana.ai/gaudi")}, 1};
  ck_assert(resource_is_gpu(TEXT("amd.com/gpu"), &more));
  ck_assert(resource_is_gpu(TEXT("nvidia.com/gpu.shared"), &more));
  ck_assert(resource_is_gpu(TEXT("nvidia.com/mig-2g.10gb"), &more));
  ck_assert(resource_is_gpu(TEXT("habana.ai/gaudi"), &more));
  ck_assert(!resource_is_gpu(TEXT("google.com/tpu"), &more));
  ck_assert(!resource_is_gpu(TEXT("aws.amazon.com/neuroncore"), &more));
  ck_assert(!resource_is_gpu(TEXT("nvidia.com/gpus"), &more));
}
END_TEST

START_TEST(more_extended_resources_than_looked_at) {
  struct buffer json = {.max = 1 << 20};
  buffer_printf(&json, "{\"spec\":{\"containers\":[{\"resources\":{\"limits\":{");
  for (int i = 0; i < 100; i++) {
    buffer_printf(&json, "%s\"v%d.io/gpu\":\"1\"", i == 0 ? "" : ",", i);
  }
  buffer_printf(&json, "}}}]}}");
  buffer_append(&json, "", 1);
  view(json.data);
  ck_assert_uint_eq(pod.extended_count, POD_EXTENDED_RESOURCES_MAX);
  ck_assert(pod.gpus.nano == 100 * QUANTITY_NANO);
  buffer_free(&json);
}
END_TEST

START_TEST(zero_amounts_do_not_fill_the_list) {
  view(
      "{\"spec\":{\"containers\":[{\"resources\":{\"limits\":{\"a.io/x\":\"0\",\"a.io/y\":0,"
      "\"amd.com/gpu\":\"2\"}}}]}}");
  ck_assert_uint_eq(pod.extended_count, 1);
  ck_assert(pod.gpus.nano == 2 * QUANTITY_NANO);
}
END_TEST

START_TEST(wrong_types_are_absent) {
  static const char *const bodies[] = {
      "null",
      "7",
      "\"x\"",
      "[]",
      "{\"metadata\":7,\"spec\":[]}",
      "{\"metadata\":{\"labels\":[],\"annotations\":1},\"spec\":{\"containers\":\"str\","
      "\"initContainers\":{},\"os\":4,\"hostPID\":\"true\"}}",
      "{\"spec\":{\"containers\":[7,null,[],{\"name\":1,\"env\":{},\"command\":7,\"resources\":"
      "{\"limits\":[1],\"requests\":{\"a/gpu\":{}}}}]}}"};
  for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
    view(bodies[i]);
    ck_assert_int_eq(pod.role, POD_ROLE_NONE);
    ck_assert(!pod.host_pid);
    ck_assert_uint_eq(pod.extended_count, 0);
  }
}
END_TEST

static void add_tests(TCase *tcase) {
  tcase_add_checked_fixture(tcase, setup, teardown);
  tcase_add_test(tcase, roles);
  tcase_add_test(tcase, trap_10_ray_container);
  tcase_add_test(tcase, environment);
  tcase_add_test(tcase, shells);
  tcase_add_test(tcase, trap_29_gpus);
  tcase_add_test(tcase, gpu_names);
  tcase_add_test(tcase, more_extended_resources_than_looked_at);
  tcase_add_test(tcase, zero_amounts_do_not_fill_the_list);
  tcase_add_test(tcase, wrong_types_are_absent);
}

int main(void) {
  return run_suite("pod", add_tests);
}
