"""A Kubernetes of one real node, KubeRay and fake nodes, in namespaces of its own."""
