//go:build tools

// Package tools names the KubeRay operator 1.6.2, so that go.mod pins it.
package tools

import _ "github.com/ray-project/kuberay/ray-operator"
