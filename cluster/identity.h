#pragma once

#include "cluster/cluster.h"

// Which cluster is this? The UID of the Namespace kube-system: made once, never changed, the same
// for all API servers of one cluster. A kubeconfig or an address that has come to lead to another
// cluster must not be written to.
//
// The UID is pinned at first contact, or by cluster_identity_expect(). Every write (not
// cluster_ask()) goes over a connection on which the UID was read within the last
// CLUSTER_IDENTITY_MS and was the pinned one; a connection that is new has it read first. So a
// write cannot reach an API server that has not said who it is, and a change of certificates with
// its few writes costs one small get. Where no connection is ever kept (a proxy that closes each),
// the UID that was read just before has to do.

#define CLUSTER_IDENTITY_MS 5000

// Room for a UID with its NUL; real ones have 36 bytes. Longer ones are refused.
#define CLUSTER_UID_MAX 64

// What is expected from now on, e.g. from the Secret's annotation or a flag. FAULT_FOREIGN if
// another UID is pinned already, FAULT_SETTINGS if `uid` is empty or too long. Sends nothing.
int cluster_identity_expect(struct cluster *cluster, const char *uid, struct fault *fault);

// Reads the UID now and compares it; pins it if nothing is expected. FAULT_FOREIGN when it is
// another: it says both UIDs, the server and where the address came from.
int cluster_identity_check(struct cluster *cluster, unsigned budget_ms, struct fault *fault);

// The pinned UID, or "" before first contact. Borrowed.
const char *cluster_identity(const struct cluster *cluster);
