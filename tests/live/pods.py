"""The pods of a kustomize base as containers of a Docker engine: the same commands, files, names, users and limits.

No cluster: what kubelet, scheduler and network policies do is not there.
"""

from __future__ import annotations

import base64
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import yaml

MEGABYTES = {"Mi": 1 << 20}


def rendered(folder: Path) -> list[dict[str, Any]]:
    """What kustomize makes of a base."""
    done = subprocess.run(["kubectl", "kustomize", folder], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return list(yaml.safe_load_all(done.stdout))


class Pods:
    """Runs the objects of one namespace in a network of the engine, where their Services resolve."""

    def __init__(self, engine: docker.DockerClient, network: Any, objects: list[dict[str, Any]], folder: Path) -> None:
        """`folder`: for the files of their Secrets."""
        self._engine = engine
        self._network = network
        self._objects = objects
        self._secrets = {each["metadata"]["name"]: _unpacked(each, folder) for each in self._of("Secret")}

    def run_jobs(self) -> None:
        """Run each job to its end."""
        for job in self._of("Job"):
            container = self._make(job["metadata"]["name"], job["spec"]["template"]["spec"], {}, [])
            container.start()
            status = container.wait(timeout=120)["StatusCode"]
            assert status == 0, container.logs().decode()

    def start(self) -> dict[str, Any]:
        """Start all pods; returns the containers by the names of the pods."""
        found = {}
        for each in self._of("StatefulSet"):
            spec, name = each["spec"], each["metadata"]["name"]
            first = spec.get("ordinals", {}).get("start", 0)
            services = [one["metadata"]["name"] for one in self._of("Service") if _is_of(one, each)]
            for number in range(first, first + spec["replicas"]):
                pod = f"{name}-{number}"
                aliases = [*services, f"{pod}.{spec['serviceName']}"]
                found[pod] = self._make(pod, spec["template"]["spec"], {"POD": pod}, aliases)
                found[pod].start()
        return found

    def _of(self, kind: str) -> Iterator[dict[str, Any]]:
        return (each for each in self._objects if each["kind"] == kind)

    def _make(self, name: str, pod: dict[str, Any], environment: dict[str, str], aliases: list[str]) -> Any:
        [container] = pod["containers"]
        [volume] = [each for each in pod["volumes"] if "secret" in each]
        files = self._secrets[volume["secret"]["secretName"]]
        mounts = container["volumeMounts"]
        binds = [f"{files / each['subPath']}:{each['mountPath']}:ro" for each in mounts if "subPath" in each]
        kept = [each["mountPath"] for each in mounts if "subPath" not in each]
        security, api = pod["securityContext"], self._engine.api
        limits = container["resources"]["limits"]
        made = api.create_container(
            container["image"], container["command"], name=f"{self._network.name}-{name}", hostname=name,
            environment=environment, user=f"{security['runAsUser']}:{security['runAsGroup']}",
            stdin_open=container.get("stdin", False), volumes=kept,
            host_config=api.create_host_config(
                binds=binds, read_only=container["securityContext"]["readOnlyRootFilesystem"],
                cap_drop=container["securityContext"]["capabilities"]["drop"], security_opt=["no-new-privileges:true"],
                mem_limit=int(limits["memory"][:-2]) * MEGABYTES[limits["memory"][-2:]],
                nano_cpus=int(limits["cpu"]) * 10**9,
            ),
            networking_config=api.create_networking_config(
                {self._network.name: api.create_endpoint_config(aliases=aliases)}
            ),
        )  # fmt: skip
        return self._engine.containers.get(made["Id"])


def _is_of(service: dict[str, Any], owner: dict[str, Any]) -> bool:
    labels = owner["spec"]["template"]["metadata"]["labels"]
    return bool(service["spec"]["selector"].items() <= labels.items())


def _unpacked(secret: dict[str, Any], folder: Path) -> Path:
    path = folder / secret["metadata"]["name"]
    path.mkdir()
    for file, content in secret["data"].items():
        (path / file).write_bytes(base64.b64decode(content))
    return path
