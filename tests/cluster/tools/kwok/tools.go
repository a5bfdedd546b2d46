//go:build tools

// Package tools names kwok (nodes without a kubelet), so that go.mod pins it.
package tools

import _ "sigs.k8s.io/kwok/cmd/kwok"
