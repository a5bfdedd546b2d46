// Spot capacity for GPU workers (semantics M8). Opt-in, by annotation of the pod or by
// configuration of a namespace; never for heads, which a reclaimed node would take down with the
// whole cluster.

#include "admission/rule.h"

enum placement { PLACEMENT_ANNOTATION, PLACEMENT_TOLERATE, PLACEMENT_PREFER, PLACEMENT_REQUIRE };
static const char *const placement_names[] = {"annotation", "tolerate", "prefer", "require", NULL};

enum { PROVIDER_COUNT = 5 };
static const char *const provider_names[PROVIDER_COUNT + 1] = {"eks", "karpenter",      "gke",
                                                               "aks", "capacity-class", NULL};

struct spot_placement {
  int placement;
  int provider;
};

static const struct option options[] = {
    {.key = "placement",
     .type = OPTION_ENUM,
     .offset = offsetof(struct spot_placement, placement),
     .fallback = "annotation",
     .names = placement_names,
     .help = "annotation: only pods with rayfix.io/spot; tolerate, prefer, require: all GPU "
             "workers, unless that annotation says otherwise"},
    {.key = "provider",
     .type = OPTION_ENUM,
     .offset = offsetof(struct spot_placement, provider),
     .fallback = "eks",
     .names = provider_names,
     .help = "Which label marks spot nodes, and which taint they carry"},
};

struct provider {
  const char *key;    // label of the spot nodes
  const char *value;  // that it has there
  bool tainted;       // the nodes carry key=value:NoSchedule
};

static const struct provider providers[PROVIDER_COUNT] = {
    {"eks.amazonaws.com/capacityType", "SPOT", false},
    {"karpenter.sh/capacity-type", "spot", false},
    {"cloud.google.com/gke-spot", "true", true},
    {"kubernetes.azure.com/scalesetpriority", "spot", true},
    {"capacity-class", "spot", false},
};

static struct text annotation(const struct pod_view *pod) {
  return json_get_text(pod->annotations, "rayfix.io/spot");
}

static bool applies(const struct pod_view *pod, const void *settings) {
  const struct spot_placement *config = settings;
  return pod->role == POD_ROLE_WORKER && pod->gpus.nano > 0 &&
         (config->placement != PLACEMENT_ANNOTATION || annotation(pod).data != NULL);
}

// What is wanted for this pod; PLACEMENT_ANNOTATION stands for nothing.
static enum placement wanted_placement(const struct pod_view *pod,
                                       const struct spot_placement *config, struct patch *patch) {
  struct text value = annotation(pod);
  if (value.data == NULL) {
    return (enum placement)config->placement;
  }
  int placement = option_name_index(placement_names, value);
  if (placement > PLACEMENT_ANNOTATION) {
    return (enum placement)placement;
  }
  if (!text_equals(value, TEXT("off")) && !text_equals(value, TEXT("false"))) {
    patch_note(patch,
               "annotation rayfix.io/spot: found \"%.*s\", wanted prefer, require, tolerate or off",
               TEXT_ARG(value));
  }
  return PLACEMENT_ANNOTATION;
}

// ---- does the pod choose for itself? ----

static bool has_key(yyjson_val *expressions, struct text key) {
  yyjson_arr_iter iter = yyjson_arr_iter_with(expressions);
  for (yyjson_val *item = yyjson_arr_iter_next(&iter); item != NULL;
       item = yyjson_arr_iter_next(&iter)) {
    if (text_equals(json_get_text(item, "key"), key)) {
      return true;
    }
  }
  return false;
}

// `terms` are node selector terms, or preferred terms, which hold one each in "preference".
static bool terms_use_key(yyjson_val *terms, struct text key) {
  yyjson_arr_iter iter = yyjson_arr_iter_with(terms);
  for (yyjson_val *term = yyjson_arr_iter_next(&iter); term != NULL;
       term = yyjson_arr_iter_next(&iter)) {
    yyjson_val *preference = json_get(term, "preference");
    yyjson_val *selector = preference != NULL ? preference : term;
    if (has_key(json_get(selector, "matchExpressions"), key)) {
      return true;
    }
  }
  return false;
}

static yyjson_val *required_terms(const struct pod_view *pod) {
  yyjson_val *node = json_get(pod->affinity, "nodeAffinity");
  return json_get(json_get(node, "requiredDuringSchedulingIgnoredDuringExecution"),
                  "nodeSelectorTerms");
}

static bool chooses_by_key(const struct pod_view *pod, struct text key) {
  yyjson_val *node = json_get(pod->affinity, "nodeAffinity");
  yyjson_val *preferred = json_get(node, "preferredDuringSchedulingIgnoredDuringExecution");
  return yyjson_obj_getn(pod->node_selector, key.data, key.len) != NULL ||
         terms_use_key(required_terms(pod), key) || terms_use_key(preferred, key);
}

// ---- what is written ----

static yyjson_mut_val *expression(const struct provider *provider, struct patch *patch) {
  yyjson_mut_val *values = value_array(patch);
  value_push_string(patch, values, text_of(provider->value));
  yyjson_mut_val *requirement = value_object(patch);
  value_put_string(patch, requirement, "key", text_of(provider->key));
  value_put_string(patch, requirement, "operator", TEXT("In"));
  value_put(patch, requirement, "values", values);
  return requirement;
}

static yyjson_mut_val *selector_term(const struct provider *provider, struct patch *patch) {
  yyjson_mut_val *expressions = value_array(patch);
  value_push(patch, expressions, expression(provider, patch));
  yyjson_mut_val *term = value_object(patch);
  value_put(patch, term, "matchExpressions", expressions);
  return term;
}

static void prefer(const struct provider *provider, struct patch *patch) {
  yyjson_mut_val *preferred = value_object(patch);
  value_put_int(patch, preferred, "weight", 100);
  value_put(patch, preferred, "preference", selector_term(provider, patch));
  patch_append(patch, preferred,
               "/spec/affinity/nodeAffinity/preferredDuringSchedulingIgnoredDuringExecution");
}

// "A null or empty node selector term matches no objects" (core/v1 NodeSelectorTerm): one more
// requirement would make it match some.
static bool matches_nothing(yyjson_val *term) {
  return yyjson_is_null(term) ||
         (yyjson_is_obj(term) && yyjson_get_len(json_get(term, "matchExpressions")) == 0 &&
          yyjson_get_len(json_get(term, "matchFields")) == 0);
}

// A pod with more terms than this is left alone: each costs one operation, and their number has a
// limit.
#define TERMS_MAX 256

// Terms are ORed, so the requirement goes into every one of them. False if there are too many.
static bool require(const struct pod_view *pod, const struct provider *provider,
                    struct patch *patch) {
  yyjson_val *terms = required_terms(pod);
  if (yyjson_get_len(terms) == 0) {
    patch_append(patch, selector_term(provider, patch),
                 "/spec/affinity/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution/"
                 "nodeSelectorTerms");
    return true;
  }
  if (yyjson_get_len(terms) > TERMS_MAX) {
    patch_note(patch, "more than %d node selector terms", TERMS_MAX);
    return false;
  }
  size_t index = 0;
  yyjson_arr_iter iter = yyjson_arr_iter_with(terms);
  for (yyjson_val *term = yyjson_arr_iter_next(&iter); term != NULL;
       term = yyjson_arr_iter_next(&iter), index++) {
    if (!matches_nothing(term)) {
      patch_append(patch, expression(provider, patch),
                   "/spec/affinity/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution/"
                   "nodeSelectorTerms/%zu/matchExpressions",
                   index);
    }
  }
  return true;
}

// An absent effect means all effects; an absent key with Exists means all keys.
static bool tolerates(yyjson_val *toleration, const struct provider *provider) {
  struct text key = json_get_text(toleration, "key");
  struct text effect = json_get_text(toleration, "effect");
  bool every_key = key.len == 0 && yyjson_is_obj(toleration) &&
                   text_equals(json_get_text(toleration, "operator"), TEXT("Exists"));
  return (every_key || text_equals(key, text_of(provider->key))) &&
         (effect.len == 0 || text_equals(effect, TEXT("NoSchedule")));
}

static void tolerate(const struct pod_view *pod, const struct provider *provider,
                     struct patch *patch) {
  yyjson_arr_iter iter = yyjson_arr_iter_with(pod->tolerations);
  for (yyjson_val *item = yyjson_arr_iter_next(&iter); item != NULL;
       item = yyjson_arr_iter_next(&iter)) {
    if (tolerates(item, provider)) {
      return;
    }
  }
  yyjson_mut_val *toleration = value_object(patch);
  value_put_string(patch, toleration, "key", text_of(provider->key));
  value_put_string(patch, toleration, "operator", TEXT("Equal"));
  value_put_string(patch, toleration, "value", text_of(provider->value));
  value_put_string(patch, toleration, "effect", TEXT("NoSchedule"));
  patch_append(patch, toleration, "/spec/tolerations");
}

static void apply(const struct pod_view *pod, const void *settings, struct patch *patch) {
  const struct spot_placement *config = settings;
  const struct provider *provider = &providers[config->provider];
  enum placement placement = wanted_placement(pod, config, patch);
  if (placement == PLACEMENT_ANNOTATION) {
    return;
  }
  if (placement != PLACEMENT_TOLERATE && chooses_by_key(pod, text_of(provider->key))) {
    patch_note(patch, "the pod chooses nodes by %s itself", provider->key);
    return;
  }
  if (placement == PLACEMENT_PREFER) {
    prefer(provider, patch);
  } else if (placement == PLACEMENT_REQUIRE && !require(pod, provider, patch)) {
    return;
  }
  if (provider->tainted) {
    tolerate(pod, provider, patch);
  } else if (placement == PLACEMENT_TOLERATE) {
    patch_note(patch, "spot nodes of %s carry no taint", provider_names[config->provider]);
  }
}

const struct mutator mutator_spot_placement = {
    .name = "spot-placement",
    .summary = "Sends GPU workers that ask for it to spot nodes",
    .default_mode = MODE_ENFORCE,
    .options = options,
    .option_count = COUNT_OF(options),
    .options_size = sizeof(struct spot_placement),
    .applies = applies,
    .apply = apply,
};
