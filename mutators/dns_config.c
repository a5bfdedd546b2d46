// ndots 2 for Ray pods (semantics M7). The name of the head's Service has four dots, fewer than the
// five that Kubernetes asks for, so glibc sends every lookup through all search domains first:
// three to four useless pairs of queries each time, from every worker of a cluster that scales up.

#include "admission/rule.h"

struct dns_config {
  int64_t ndots;
};

static const struct option options[] = {
    {.key = "ndots",
     .type = OPTION_INT,
     .offset = offsetof(struct dns_config, ndots),
     .fallback = "2",
     .min = 1,
     .max = 15,  // RES_MAXNDOTS: glibc cuts larger values silently
     .help = "Names with at least this many dots are looked up as they are first"},
};

// Only these policies make the kubelet write the cluster's search list and ndots 5; under
// hostNetwork the kubelet treats ClusterFirst as Default.
static bool uses_cluster_search_list(const struct pod_view *pod) {
  if (json_is_string(pod->dns_policy, TEXT("ClusterFirstWithHostNet"))) {
    return true;
  }
  return !pod->host_network &&
         (pod->dns_policy == NULL || json_is_string(pod->dns_policy, TEXT("ClusterFirst")));
}

static bool has_ndots(yyjson_val *dns_options) {
  yyjson_arr_iter iter = yyjson_arr_iter_with(dns_options);
  for (yyjson_val *item = yyjson_arr_iter_next(&iter); item != NULL;
       item = yyjson_arr_iter_next(&iter)) {
    if (text_equals(json_get_text(item, "name"), TEXT("ndots"))) {
      return true;
    }
  }
  return false;
}

static bool applies(const struct pod_view *pod, const void *settings) {
  (void)settings;
  return uses_cluster_search_list(pod) && !has_ndots(json_get(pod->dns_config, "options"));
}

static void apply(const struct pod_view *pod, const void *settings, struct patch *patch) {
  (void)pod;
  const struct dns_config *config = settings;
  yyjson_mut_val *option = value_object(patch);
  value_put_string(patch, option, "name", TEXT("ndots"));
  value_put_string(patch, option, "value", patch_text(patch, "%lld", (long long)config->ndots));
  patch_append(patch, option, "/spec/dnsConfig/options");
}

const struct mutator mutator_dns_config = {
    .name = "dns-config",
    .summary = "Sets the DNS option ndots, so that the head is found with one lookup",
    .default_mode = MODE_ENFORCE,
    .options = options,
    .option_count = COUNT_OF(options),
    .options_size = sizeof(struct dns_config),
    .applies = applies,
    .apply = apply,
};
