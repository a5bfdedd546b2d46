//go:build tools

package main

// Built as it is; named here, so that go.mod pins it.
import _ "k8s.io/kubernetes/cmd/kubectl"
