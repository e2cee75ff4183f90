"""A lab as plain manifests for Kubernetes (`kubectl apply`), with an existing Redis. Pure."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from cluster.lab.containers.compose import Compose, Service
from cluster.lab.containers.document import written
from cluster.lab.containers.files import IMAGE_USER, LAB
from cluster.lab.containers.swarm import Files

MAX_SECRET_BYTES = 1024 * 1024
"""All files of one container."""

MAX_NAME_LENGTH = 52
"""Of a StatefulSet: the label of its pods has at most 63 characters, with a hash after the name."""

_FILES, _DATA, _DATA_BYTES = "files", "data", "1Gi"

_POD_SECURITY = {
    "runAsNonRoot": True,
    "runAsUser": IMAGE_USER,
    "runAsGroup": IMAGE_USER,
    "fsGroup": IMAGE_USER,
    "seccompProfile": {"type": "RuntimeDefault"},
}
_SECURITY = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}


def manifests(compose: Compose, files: Files, image: str, head: str) -> str:
    """The file: everything in a namespace of the lab, which admits only pods with minimal rights."""
    found: list[dict[str, Any]] = [
        {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {
                "name": namespace(compose),
                "labels": {**compose.labels(), "pod-security.kubernetes.io/enforce": "restricted"},
            },
        }
    ]
    for service in compose.services:
        contents = files[service.name]
        found.append({**_object(compose, "v1", "Secret", service.name), "data": _encoded(contents)})
        if service.ports:
            found.append(_service(compose, service))
        found.append((_stateful_set if service.is_node else _job)(compose, service, contents, image))
    return written(found, head)


def namespace(compose: Compose) -> str:
    """The namespace, which has everything of the lab."""
    return f"xmpplab-{compose.lab}"


def _object(compose: Compose, version: str, kind: str, node: str, name: str = "") -> dict[str, Any]:
    metadata = {"name": name or node, "namespace": namespace(compose), "labels": compose.labels(node)}
    return {"apiVersion": version, "kind": kind, "metadata": metadata}


def _service(compose: Compose, service: Service) -> dict[str, Any]:
    spec = {
        "selector": compose.labels(service.name),
        # a foreign network and its gateways are ready only when they have found each other
        "publishNotReadyAddresses": True,
        "ports": [{"name": f"port-{port}", "port": port} for port in _ports(service)],
    }
    return {**_object(compose, "v1", "Service", service.name), "spec": spec}


def _stateful_set(compose: Compose, service: Service, contents: Mapping[str, bytes], image: str) -> dict[str, Any]:
    """A StatefulSet never runs two at once, as a Deployment may: two servers of one domain would read the same
    links."""
    spec: dict[str, Any] = {
        "serviceName": service.name,
        "replicas": 1,
        "selector": {"matchLabels": compose.labels(service.name)},
        "template": _pod(compose, service, contents, image),
    }
    if service.volumes:
        claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": _DATA_BYTES}}}
        spec["volumeClaimTemplates"] = [{"metadata": {"name": _DATA}, "spec": claim}]
    return {**_object(compose, "apps/v1", "StatefulSet", service.name), "spec": spec}


def _job(compose: Compose, service: Service, contents: Mapping[str, bytes], image: str) -> dict[str, Any]:
    """A job cannot change, so a changed job has a new name."""
    template = _pod(compose, service, contents, image)
    template["spec"]["restartPolicy"] = "OnFailure"
    name = f"{service.name}-{_digest(contents)}"
    return {**_object(compose, "batch/v1", "Job", service.name, name), "spec": {"template": template}}


def _pod(compose: Compose, service: Service, contents: Mapping[str, bytes], image: str) -> dict[str, Any]:
    mounts = [{"name": _FILES, "mountPath": f"{LAB}/{file}", "subPath": file, "readOnly": True} for file in contents]
    container: dict[str, Any] = {
        "name": service.name,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": list(service.command),
        "securityContext": _SECURITY,
        "volumeMounts": [*([{"name": _DATA, "mountPath": str(LAB)}] if service.volumes else []), *mounts],
    }
    if service.is_node:
        asks = ["python", "-m", "cluster.lab.containers.health", service.name]
        container["stdin"] = True  # a node ends when its standard input does
        every = {"periodSeconds": 10, "timeoutSeconds": 5}
        container["readinessProbe"] = {"exec": {"command": asks}, **every}
        container["livenessProbe"] = {"exec": {"command": [*asks, "--alive"]}, **every, "failureThreshold": 6}
    if service.ports:
        container["ports"] = [{"containerPort": port} for port in _ports(service)]
    return {
        # pods do not notice changed files, but are replaced when this changes
        "metadata": {"labels": compose.labels(service.name), "annotations": {"xmpplab.files": _digest(contents)}},
        "spec": {
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "terminationGracePeriodSeconds": 10,
            "securityContext": _POD_SECURITY,
            "containers": [container],
            "volumes": [{"name": _FILES, "secret": {"secretName": service.name, "defaultMode": 0o440}}],
        },
    }


def _ports(service: Service) -> list[int]:
    """The ports in its container."""
    return [int(port.rpartition(":")[2]) for port in service.ports]


def _encoded(contents: Mapping[str, bytes]) -> dict[str, str]:
    return {file: base64.b64encode(content).decode() for file, content in contents.items()}


def _digest(contents: Mapping[str, bytes]) -> str:
    return sha256(b"".join(file.encode() + b"\0" + content for file, content in contents.items())).hexdigest()[:8]
