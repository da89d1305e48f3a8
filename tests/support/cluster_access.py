"""A Kubernetes cluster as a test sees it: kubectl, its own namespace, and the story on failure."""

import json
import os
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from cluster_reading import Object, Reader, Refused, reader_of

T = TypeVar("T")
ENV_KUBECONFIG = "SLIPWAY_TEST_KUBECONFIG"
HANG_SECONDS = 300.0


@dataclass(frozen=True)
class Cluster:
    """One cluster and the kubectl that reaches it."""

    kubectl_path: str
    kubeconfig: Path

    def kubectl(self, *arguments: str, given: str | None = None) -> str:
        """Run kubectl; returns what it printed.

        Raises:
            Refused: it was refused.
        """
        command = [self.kubectl_path, "--kubeconfig", str(self.kubeconfig), *arguments]
        done = subprocess.run(
            command, capture_output=True, text=True, input=given, check=False, timeout=HANG_SECONDS
        )
        if done.returncode != 0:
            raise Refused(done.stderr.strip())
        return done.stdout

    @property
    def reader(self) -> Reader:
        """What reads its objects, without a kubectl for each."""
        return reader_of(self.kubectl_path, self.kubeconfig)

    def wait(self, what: str, look: Callable[[], T], *, story: Callable[[], str] = str) -> T:
        """Look until it is true; fails with the story.

        A look that is refused is not true yet: the object may not be there.
        """
        deadline = time.monotonic() + HANG_SECONDS
        while True:
            began = time.monotonic()
            try:
                found = look()
            except Refused as refused:
                found, last = None, refused
            else:
                last = None
            if found:
                return found
            assert time.monotonic() < deadline, f"not in time: {what} ({last})\n{story()}"
            # looking takes half the time at most: what is waited for needs the processor as well
            time.sleep(max(0.2, time.monotonic() - began))

    @contextmanager
    def namespace(self, *, level: str = "restricted") -> Iterator["Namespace"]:
        """A new namespace under a level of Pod Security; its deletion is not waited for."""
        made = self.make_namespace(level=level)
        try:
            yield made
        finally:
            made.delete()

    def make_namespace(self, *, level: str = "restricted") -> "Namespace":
        """A new namespace under a level of Pod Security."""
        name = f"test-{uuid.uuid4().hex[:8]}"
        labels = {"slipway.dev/test": "true", "pod-security.kubernetes.io/enforce": level}
        document = {
            "apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels},
        }  # fmt: skip
        self.kubectl("create", "-f", "-", given=json.dumps(document))
        return Namespace(cluster=self, name=name)


@dataclass(frozen=True)
class Namespace:
    """One test's own namespace."""

    cluster: Cluster
    name: str

    def kubectl(self, *arguments: str, given: str | None = None) -> str:
        """Run kubectl in this namespace."""
        return self.cluster.kubectl("-n", self.name, *arguments, given=given)

    def delete(self) -> None:
        """Delete it with all that is in it, if it is there; nobody waits for that."""
        words = ("--ignore-not-found", "--wait=false")
        self.cluster.kubectl("delete", "namespace", self.name, *words)

    def apply(self, *documents: Object) -> None:
        """Apply objects, as a user does with `kubectl apply --server-side`."""
        listed = {"apiVersion": "v1", "kind": "List", "items": list(documents)}
        self.kubectl("apply", "--server-side", "-f", "-", given=json.dumps(listed))

    def get(self, kind: str, name: str) -> Object:
        """One object."""
        return self.cluster.reader.get(kind, self.name, name)

    def list(self, kinds: str, *, selector: str = "") -> Sequence[Object]:
        """All objects of some kinds, a comma between them."""
        reader = self.cluster.reader
        return [
            found
            for kind in kinds.split(",")
            for found in reader.list(kind, self.name, selector=selector)
        ]

    def wait(self, what: str, look: Callable[[], T]) -> T:
        """Look until it is true; fails with what happened in the namespace."""
        return self.cluster.wait(what, look, story=self.story)

    def story(self) -> str:
        """Events, pods and the ends of their logs."""
        told = [
            self.kubectl("get", "events", "--sort-by=.lastTimestamp"),
            self.kubectl("get", "all"),
        ]
        for pod in self.list("pods"):
            name, spec = pod["metadata"]["name"], pod["spec"]
            # one by one: a container that has not started yet would keep the others' logs away
            for container in (*spec.get("initContainers", ()), *spec["containers"]):
                try:
                    log = self.kubectl("logs", name, "-c", container["name"], "--tail=30")
                except Refused as refused:
                    log = str(refused)
                told.append(f"── log of {name} {container['name']}\n{log}")
        return "\n".join(told)


def find_cluster() -> Cluster:
    """The cluster that `SLIPWAY_TEST_KUBECONFIG` names, else our own, started if it is not up."""
    named = os.environ.get(ENV_KUBECONFIG)
    if named:
        return Cluster(kubectl_path="kubectl", kubeconfig=Path(named))
    from rig.cluster import up
    from rig.places import find_places

    places = find_places()
    up(places)
    return Cluster(kubectl_path=str(places.programs / "kubectl"), kubeconfig=places.kubeconfig)
