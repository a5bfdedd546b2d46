#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "cluster/kubeconfig.h"
#include "suite.h"

// Kubeconfigs as JSON. Nothing is sent: what the settings lead to is tested in tests/cluster_api.

#define PATH "/etc/kube/config"

static struct fault fault;

// The text with ' for ".
static json_t *json_of(const char *text) {
  char copy[4096];
  snprintf(copy, sizeof copy, "%s", text);
  for (char *at = copy; *at != '\0'; at++) {
    *at = *at == '\'' ? '"' : *at;
  }
  json_t *root = json_loads(copy, 0, NULL);
  ck_assert_msg(root != NULL, "%s", copy);
  return root;
}

static struct cluster *open_two(const char *first, const char *second, const char *context) {
  json_t *roots[2] = {json_of(first), second == NULL ? NULL : json_of(second)};
  struct kubeconfig_file files[2] = {{PATH, roots[0]}, {"/etc/other", roots[1]}};
  struct cluster *cluster =
      cluster_open_kubeconfig(files, second == NULL ? 1 : 2, context, NULL, &fault);
  json_decref(roots[0]);
  json_decref(roots[1]);
  return cluster;
}

// A kubeconfig with this cluster and this user.
static struct cluster *open_with(const char *cluster, const char *user) {
  char text[4096];
  snprintf(text, sizeof text,
           "{'kind':'Config','current-context':'dev',"
           "'contexts':[{'name':'dev','context':{'cluster':'c','user':'u','namespace':'team'}}],"
           "'clusters':[{'name':'c','cluster':%s}],'users':[{'name':'u','user':%s}]}",
           cluster, user);
  return open_two(text, NULL, NULL);
}

#define GOOD_CLUSTER "{'server':'https://host:6443'}"

static void refused_with(struct cluster *cluster, const char *text) {
  ck_assert_ptr_null(cluster);
  ck_assert_int_eq(fault.kind, FAULT_SETTINGS);
  ck_assert_msg(strstr(fault.error.text, text) != NULL, "%s\n  without: %s", fault.error.text,
                text);
}

START_TEST(good_ones) {
  static const char *const users[] = {
      "{}",
      "{'token':'t'}",
      "{'tokenFile':'relative/token','token':'old'}",
      "{'client-certificate':'a.crt','client-key':'/b.key'}",
      "{'exec':null,'username':'','as-groups':[]}",
      "{'unknown':5}",
  };
  static const char *const clusters[] = {
      GOOD_CLUSTER,
      "{'server':'https://[::1]:6443/prefix/','insecure-skip-tls-verify':true}",
      "{'server':'https://host','certificate-authority':'ca.crt','tls-server-name':'x'}",
      "{'server':'https://host','certificate-authority-data':'LS0tLS1CRUdJTiBYLS0tLS0K'}",
      "{'server':'https://host','proxy-url':'http://user:password@proxy:3128'}",
  };
  for (size_t i = 0; i < sizeof users / sizeof users[0]; i++) {
    struct cluster *cluster = open_with(GOOD_CLUSTER, users[i]);
    ck_assert_msg(cluster != NULL, "%s: %s", users[i], fault.error.text);
    ck_assert_str_eq(cluster_namespace(cluster), "team");
    ck_assert_str_eq(cluster_origin(cluster), "context dev of " PATH);
    ck_assert_str_eq(cluster_server(cluster), "https://host:6443");
    cluster_close(cluster);
  }
  for (size_t i = 0; i < sizeof clusters / sizeof clusters[0]; i++) {
    struct cluster *cluster = open_with(clusters[i], "{}");
    ck_assert_msg(cluster != NULL, "%s: %s", clusters[i], fault.error.text);
    cluster_close(cluster);
  }
}
END_TEST

START_TEST(refused_users) {
  static const char *const table[][2] = {
      {"{'exec':{'command':'aws'}}", PATH ": users \"u\": user.exec: rayfix runs no programs"},
      {"{'auth-provider':{'name':'gcp'}}", PATH ": users \"u\": user.auth-provider: gone"},
      {"{'username':'me','password':'hunter2'}", "user.username: gone"},
      {"{'password':'hunter2'}", "user.password: gone"},
      {"{'as':'admin','token':'t'}", "user.as: rayfix does not impersonate"},
      {"{'as-groups':['g']}", "user.as-groups: rayfix does not impersonate"},
      {"{'token':5}", PATH ": users \"u\": user.token: found a number, wanted a string"},
      {"{'tokenFile':['x']}", "user.tokenFile: found a list, wanted a string"},
      {"{'token':'a\\nb'}", "token: found a control character"},
      {"{'token':'a\\u0001b'}", "token: found a control character"},
      {"{'client-certificate':'a.crt'}", "user.client-key: found none, wanted both"},
      {"{'client-key':'a.key'}", "user.client-certificate: found none, wanted both"},
      {"{'client-certificate-data':'%%%','client-key':'k'}",
       "user.client-certificate-data: found no base64"},
      {"{'client-certificate-data':'aGVsbG8=','client-key':'k'}",
       "user.client-certificate-data: found base64 of something else, wanted base64 of PEM"},
      // -----BEGIN ENCRYPTED PRIVATE KEY-----
      {"{'client-certificate':'c','client-key-data':"
       "'LS0tLS1CRUdJTiBFTkNSWVBURUQgUFJJVkFURSBLRVktLS0tLQo='}",
       "user.client-key-data: found a key with a passphrase"},
  };
  for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
    refused_with(open_with(GOOD_CLUSTER, table[i][0]), table[i][1]);
    ck_assert_ptr_null(strstr(fault.error.text, "hunter2"));
  }
}
END_TEST

START_TEST(refused_clusters) {
  static const char *const table[][2] = {
      {"{}", PATH ": clusters \"c\": cluster.server: found none"},
      {"{'server':''}", "cluster.server: found none"},
      {"{'server':true}", "cluster.server: found a boolean, wanted a string"},
      {"{'server':'http://host'}", "context dev of " PATH ": server: found \"http://host\""},
      {"{'server':'https://u:hunter2@host'}", "an address with a user"},
      {"{'server':'https://host','insecure-skip-tls-verify':'yes'}",
       "cluster.insecure-skip-tls-verify: found a string, wanted true or false"},
      {"{'server':'https://host','insecure-skip-tls-verify':true,'certificate-authority':'x'}",
       "found true beside a certificate-authority"},
      {"{'server':'https://host','certificate-authority-data':'!'}",
       "cluster.certificate-authority-data: found no base64"},
      {"{'server':'https://host','certificate-authority-data':{}}", "found a mapping"},
      {"{'server':'https://host','tls-server-name':'a b'}", "tls-server-name: found \"a b\""},
      {"'text'", PATH ": clusters \"c\": cluster: found a string, wanted a mapping"},
  };
  for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
    refused_with(open_with(table[i][0], "{}"), table[i][1]);
    ck_assert_ptr_null(strstr(fault.error.text, "hunter2"));
  }
}
END_TEST

START_TEST(refused_files) {
  static const char *const table[][2] = {
      {"{}", PATH ": current-context: found none, wanted the name of one of the contexts (none)"},
      {"[]", PATH ": found no mapping, wanted a kubeconfig"},
      {"{'kind':'Pod'}", PATH ": kind: found \"Pod\", wanted Config"},
      {"{'current-context':5}", "current-context: found a number"},
      {"{'current-context':'x','contexts':{}}", "contexts: found a mapping, wanted a list"},
      {"{'current-context':'x'}", "current-context names \"x\", which is not in contexts (empty)"},
      {"{'contexts':[{'name':'a'},{'name':'b'},5]}", "one of the contexts (a, b, ?), or --context"},
      {"{'current-context':'x','contexts':[{'name':'x','context':null}]}",
       "contexts \"x\": context: found null, wanted a mapping"},
      {"{'current-context':'x','contexts':[{'name':'x','context':{'cluster':'c'}}]}",
       "contexts \"x\": context.cluster names \"c\", which is not in clusters (empty)"},
      {"{'current-context':'x','contexts':[{'name':'x','context':{}}]}",
       "contexts \"x\": context.cluster: found none, wanted a name in clusters"},
      {"{'current-context':'x','contexts':[{'name':'x','context':{'cluster':'c'}}],"
       "'clusters':[{'name':'c','cluster':{}}]}",
       "contexts \"x\": context.user: found none"},
  };
  for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
    refused_with(open_two(table[i][0], NULL, NULL), table[i][1]);
  }
  refused_with(cluster_open_kubeconfig(NULL, 0, NULL, NULL, &fault), "no kubeconfig");
}
END_TEST

START_TEST(the_first_file_wins) {
  const char *first =
      "{'clusters':[{'name':'c','cluster':{'server':'https://first'}}],'current-context':''}";
  const char *second =
      "{'clusters':[{'name':'c','cluster':{'server':'https://second'}}],'current-context':'dev',"
      "'contexts':[{'name':'dev','context':{'cluster':'c','user':'u'}},"
      "{'name':'other','context':{'cluster':'c','user':'missing'}}],"
      "'users':[{'name':'u','user':{}}]}";
  struct cluster *cluster = open_two(first, second, NULL);
  ck_assert_msg(cluster != NULL, "%s", fault.error.text);
  ck_assert_str_eq(cluster_server(cluster), "https://first");
  ck_assert_str_eq(cluster_origin(cluster), "context dev of /etc/other");
  ck_assert_str_eq(cluster_namespace(cluster), "default");
  cluster_close(cluster);
  cluster = open_two(second, first, "dev");
  ck_assert_str_eq(cluster_server(cluster), "https://second");
  cluster_close(cluster);
  refused_with(open_two(first, second, "other"), "context.user names \"missing\"");
  refused_with(open_two(first, second, "nope"),
               "--context names \"nope\", which is not in contexts (dev, other)");
}
END_TEST

static void add_tests(TCase *tcase) {
  tcase_add_test(tcase, good_ones);
  tcase_add_test(tcase, refused_users);
  tcase_add_test(tcase, refused_clusters);
  tcase_add_test(tcase, refused_files);
  tcase_add_test(tcase, the_first_file_wins);
}

int main(void) {
  return run_suite("cluster_kubeconfig", add_tests);
}
