"""The pods of a lab on Kubernetes. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

import msgspec

from cluster.lab.containers.compose import GRACE_S
from cluster.lab.containers.files import IMAGE_USER, LAB
from cluster.lab.containers.health import PORT

METRICS = "metrics"
"""Name of the port for probes and metrics."""
DATA = "data"
"""Name of the volume of a part that keeps data."""
RESOURCES = {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"cpu": "2", "memory": "512Mi"}}
"""Of each container. A process uses one core, and for a moment a second one to derive keys; 512 MiB are some 10,000
sessions with TLS (docs/performance.md)."""

_FILES = "files"
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


class Image(msgspec.Struct, frozen=True):
    """The image, and who may pull it."""

    name: str
    pull_secret: str = ""
    """A Secret of the namespace with the login to the registry; empty: none is needed."""


def pod(
    name: str, labels: Mapping[str, str], command: Sequence[str], files: Mapping[str, bytes], image: Image,
    settings: Mapping[str, Any], *, keeps_data: bool = False,
) -> dict[str, Any]:  # fmt: skip
    """The template of a pod with one container, which sees these files of the Secret of its name in the lab's folder.

    `settings` are further ones of the container.
    """
    mounts = [{"name": _FILES, "mountPath": f"{LAB}/{file}", "subPath": file, "readOnly": True} for file in files]
    container = {
        "name": name,
        "image": image.name,
        "imagePullPolicy": "IfNotPresent",
        "command": list(command),
        "securityContext": _SECURITY,
        "resources": RESOURCES,
        "volumeMounts": [*([{"name": DATA, "mountPath": str(LAB)}] if keeps_data else []), *mounts],
        **settings,
    }
    spec = {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        **({"imagePullSecrets": [{"name": image.pull_secret}]} if image.pull_secret else {}),
        "terminationGracePeriodSeconds": GRACE_S,
        "securityContext": _POD_SECURITY,
        "containers": [container],
        "volumes": [{"name": _FILES, "secret": {"secretName": name, "defaultMode": 0o440}}],
    }
    # a pod does not notice that a Secret has changed, but is replaced when this does
    return {"metadata": {"labels": dict(labels), "annotations": {"xmpplab.files": digest(files)}}, "spec": spec}


def digest(files: Mapping[str, bytes]) -> str:
    """A short text that changes with these files."""
    return sha256(b"".join(file.encode() + b"\0" + content for file, content in files.items())).hexdigest()[:8]


def probes() -> dict[str, Any]:
    """The running process answers the kubelet over HTTP; nothing is started for it."""
    every = {"periodSeconds": 10, "timeoutSeconds": 5}
    return {
        "startupProbe": {**_asked("live"), "periodSeconds": 1, "failureThreshold": 60},
        "readinessProbe": {**_asked("ready"), **every},
        "livenessProbe": {**_asked("live"), **every, "failureThreshold": 6},
    }


def container_ports(ports: Sequence[int]) -> dict[str, Any]:
    """With that of the metrics."""
    return {
        "ports": [*({"containerPort": port} for port in ports), {"name": METRICS, "containerPort": PORT}],
    }


def _asked(path: str) -> dict[str, Any]:
    return {"httpGet": {"path": f"/{path}", "port": METRICS}}
