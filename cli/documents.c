#include "cli/documents.h"

#include "cli/input.h"

int documents_open(const struct verb *verb, const struct document_flags *given,
                   struct documents *ret_documents) {
  int status = EXIT_FINE;
  *ret_documents = (struct documents){.configuration = input_configuration(given->config, &status)};
  if (ret_documents->configuration == NULL) {
    return status;
  }
  return manifest_read_given(verb, &given->files, given->recursive, &ret_documents->files,
                             &ret_documents->list);
}

void documents_close(struct documents *documents) {
  manifest_list_free(&documents->list);
  file_list_free(&documents->files);
  configuration_free(documents->configuration);
}
