"""A lab on Kubernetes, with an existing Redis: a kustomize base, which `kubectl apply -k` takes."""
