#include <string.h>

#include "cli/doctor.h"
#include "cli/object.h"

static void each_of(const struct snapshot *snapshot, const char *kind, const json_t *items,
                    struct finding_list *findings, hook_fn each) {
  for (size_t i = 0; i < json_array_size(items); i++) {
    const json_t *configuration = json_array_get(items, i);
    const json_t *webhooks = json_object_get(configuration, "webhooks");
    for (size_t k = 0; k < json_array_size(webhooks); k++) {
      const json_t *webhook = json_array_get(webhooks, k);
      struct hook hook = {
          .kind = kind,
          .configuration = configuration,
          .webhook = webhook,
          .where = finding_text(findings, "%s/%s webhook %s", kind, object_name(configuration),
                                object_string(webhook, "name")),
          // Fail is the default of v1.
          .fails = strcmp(object_string(webhook, "failurePolicy"), "Ignore") != 0,
          .is_ours = strcmp(object_name(configuration), snapshot->own_name) == 0,
      };
      each(snapshot, &hook, findings);
    }
  }
}

void doctor_each_hook(const struct snapshot *snapshot, struct finding_list *findings,
                      hook_fn each) {
  each_of(snapshot, "MutatingWebhookConfiguration", snapshot->mutating, findings, each);
  each_of(snapshot, "ValidatingWebhookConfiguration", snapshot->validating, findings, each);
}

void doctor_check(const struct snapshot *snapshot, struct finding_list *findings) {
  doctor_check_installation(snapshot, findings);
  doctor_check_identity(snapshot, findings);
  doctor_check_certificate(snapshot, findings);
  doctor_check_access(snapshot, findings);
  doctor_check_endpoints(snapshot, findings);
  doctor_check_bundles(snapshot, findings);
  doctor_check_deadlocks(snapshot, findings);
  doctor_check_budgets(snapshot, findings);
  doctor_check_nodes(snapshot, findings);
  doctor_check_dns(snapshot, findings);
}
