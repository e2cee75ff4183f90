"""The files of a kustomize base: `manifests.yaml`, and `kustomization.yaml`, which makes a Secret of each folder. Pure.

https://kubectl.docs.kubernetes.io/references/kustomize/kustomization/
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cluster.lab.containers.compose import ANNOUNCING
from cluster.lab.containers.document import written
from cluster.lab.containers.files import ANNOUNCE, Files
from cluster.lab.containers.k8s import labels, policies
from cluster.lab.containers.k8s.parts import POD, Part, parts
from cluster.lab.containers.k8s.pod import DATA, Image, container_ports, digest, pod, probes
from cluster.topology.plan import Plan

MANIFESTS = "manifests.yaml"
MAX_SECRET_BYTES = 1024 * 1024
"""All files of one container."""

_DATA_BYTES = "1Gi"
_OLD_JOB_S = 86_400
"""A job that has ended is removed after a day."""

Object = dict[str, Any]


def namespace(lab: str) -> str:
    """The namespace, which has everything of the lab."""
    return f"xmpplab-{lab}"


def clients(part: str) -> str:
    """The Service of a server for its clients."""
    return f"{part}-clients"


def kustomization(plan: Plan, files: Files, folder: str, head: str) -> str:
    """Names the manifests, and a Secret for each part: its files are in `folder`.

    With hashes in the names of Secrets, and with a namespace for all, kustomize needs twice the time for a large lab.
    """
    secrets = [
        {"name": name, "namespace": namespace(plan.name), "files": [f"{folder}/{name}/{file}" for file in contents]}
        for name, contents in files.items()
    ]
    document = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": [MANIFESTS],
        "generatorOptions": {"labels": labels.of_lab(plan.name), "disableNameSuffixHash": True},
        "secretGenerator": secrets,
    }
    return written([document], head)


def manifests(plan: Plan, files: Files, image: Image, head: str) -> str:
    """Everything but the Secrets, in a namespace of the lab, which admits only pods with minimal rights."""
    return written([*_objects(plan, files, image)], head)


def _objects(plan: Plan, files: Files, image: Image) -> Iterator[Object]:
    shared = labels.of_lab(plan.name)
    restricted = {"pod-security.kubernetes.io/enforce": "restricted"}
    name = namespace(plan.name)
    yield {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": {**shared, **restricted}}}
    yield _object(plan, "networking.k8s.io/v1", "NetworkPolicy", "xmpplab", shared, policies.common(plan))
    yield _job(plan, files[ANNOUNCE], image)
    for part in parts(plan):
        own = labels.of_part(plan.name, part.name, part.component)
        if part.ports:
            yield _object(plan, "v1", "Service", part.name, own, _inside(part))
        if part.outer_ports:
            yield _object(plan, "v1", "Service", clients(part.name), own, _outside(part))
        yield _object(plan, "networking.k8s.io/v1", "NetworkPolicy", part.name, own, policies.own(part.node, plan))
        if part.replicas > 1:
            yield _object(plan, "policy/v1", "PodDisruptionBudget", part.name, own, _budget(part))
        yield _object(plan, "apps/v1", "StatefulSet", part.name, own, _stateful_set(part, own, files[part.name], image))


def _object(plan: Plan, version: str, kind: str, name: str, own: Mapping[str, str], spec: Object) -> Object:
    metadata = {"name": name, "namespace": namespace(plan.name), "labels": dict(own)}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec}


def _inside(part: Part) -> Object:
    """For the other parts: the addresses of its pods, by the names of the part and of each pod."""
    return {
        "clusterIP": "None",
        "selector": labels.chosen(part.name),
        # a foreign network and its gateways are ready only when they have found each other
        "publishNotReadyAddresses": True,
        "ports": _ports(part.ports),
    }


def _outside(part: Part) -> Object:
    """For clients: any node that is ready. An overlay makes it a LoadBalancer or a NodePort."""
    return {"selector": labels.chosen(part.name), "ports": _ports(part.outer_ports)}


def _ports(ports: Sequence[int]) -> list[Object]:
    return [{"name": f"port-{port}", "port": port} for port in ports]


def _budget(part: Part) -> Object:
    """Nodes of a domain are drained one after the other, so that each has another one to take its accounts over."""
    return {"maxUnavailable": 1, "selector": {"matchLabels": labels.chosen(part.name)}}


def _stateful_set(part: Part, own: Mapping[str, str], files: Mapping[str, bytes], image: Image) -> Object:
    """A StatefulSet never runs two pods of one name, as a Deployment may: two nodes of one name would read the same
    links. It replaces its pods one after the other, each when the one before it is ready."""
    settings: Object = {"stdin": True, **container_ports(part.ports), **probes()}  # a node ends when its input does
    if part.component == "server":
        settings["env"] = [{"name": POD, "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]
    template = pod(part.name, own, part.command, files, image, settings, keeps_data=part.keeps_data)
    if part.replicas > 1:
        template["spec"]["topologySpreadConstraints"] = [_apart(part)]
    spec: Object = {
        "serviceName": part.name,
        "replicas": part.replicas,
        **({"ordinals": {"start": 1}} if part.component == "server" else {}),
        "selector": {"matchLabels": labels.chosen(part.name)},
        "template": template,
    }
    if part.keeps_data:
        claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": _DATA_BYTES}}}
        spec["volumeClaimTemplates"] = [{"metadata": {"name": DATA}, "spec": claim}]
    return spec


def _apart(part: Part) -> Object:
    """The nodes of a domain are on different machines, where there are some."""
    return {
        "maxSkew": 1,
        "topologyKey": "kubernetes.io/hostname",
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": labels.chosen(part.name)},
    }


def _job(plan: Plan, contents: Mapping[str, bytes], image: Image) -> Object:
    """A job cannot change, so a changed one has a new name."""
    own = labels.of_part(plan.name, ANNOUNCE, ANNOUNCE)
    template = pod(ANNOUNCE, own, ANNOUNCING, contents, image, {})
    template["spec"]["restartPolicy"] = "OnFailure"
    spec = {"ttlSecondsAfterFinished": _OLD_JOB_S, "template": template}
    return _object(plan, "batch/v1", "Job", f"{ANNOUNCE}-{digest(contents)}", own, spec)
