"""A driver for the user stories: what a person does at a terminal, wherever the models run.

Everything goes through the `slipway` command or a model's URL, as a user would. The places are
`behaviour_laptop.Laptop` and `behaviour_cluster.OnCluster`.
"""

import abc
import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import yaml

HANG_SECONDS = 180.0
SLIPWAY = Path(sys.executable).with_name("slipway")


@dataclass(frozen=True, kw_only=True)
class Said:
    """What a command printed and how it ended."""

    code: int
    out: str
    err: str

    @property
    def text(self) -> str:
        return self.out + self.err


@dataclass(frozen=True, kw_only=True)
class Address:
    """Where a model answers, and the headers that get there."""

    url: str
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(kw_only=True)
class Terminal(abc.ABC):
    """A person who deploys models; where, is told by the subclass."""

    environment: dict[str, str] = field(default_factory=dict)
    program: Path = SLIPWAY

    @abc.abstractmethod
    def place(self) -> dict[str, str]:
        """The variables that say where the models run."""

    @abc.abstractmethod
    def offer(self, path: Path, samples: Path | None = None) -> dict[str, Any]:
        """`spec.model` for a file of this machine, put where a build gets it."""

    @abc.abstractmethod
    def address(self, found: Mapping[str, Any]) -> Address:
        """Where this ModelDeployment answers."""

    @abc.abstractmethod
    def serving(self, revision: str | None = None) -> int:
        """How many processes serve: of one revision, or of all."""

    def complete(self, arguments: tuple[str, ...]) -> list[str]:
        """The command line for these arguments."""
        return [str(self.program), *arguments]

    def run(self, *arguments: str, text: str | None = None, timeout: float = HANG_SECONDS) -> Said:
        """Run `slipway ARGUMENTS` and wait for its end."""
        done = subprocess.run(
            self.complete(arguments),
            input=text,
            capture_output=True,
            text=True,
            env=self._environment(),
            timeout=timeout,
            check=False,
        )
        said = Said(code=done.returncode, out=done.stdout, err=done.stderr)
        assert "Traceback" not in said.text, f"a traceback met the user:\n{said.text}"
        return said

    def _environment(self) -> dict[str, str]:
        base = {**os.environ, "NO_COLOR": "1", "COLUMNS": "200", **self.environment}
        return {**base, **self.place()}

    def document(
        self, name: str, path: Path, *, samples: Path | None = None, **spec: Any
    ) -> dict[str, Any]:
        """The smallest ModelDeployment of a file; keywords are merged into its spec."""
        model = {**self.offer(path, samples), **spec.pop("model", {})}
        return deployment(name, model=model, **spec)

    def apply(self, document: Mapping[str, Any] | str, *options: str) -> Said:
        text = document if isinstance(document, str) else yaml.safe_dump(dict(document))
        return self.run("apply", "-f", "-", *options, text=text)

    def get(self, name: str) -> dict[str, Any]:
        said = self.run("get", name, "-o", "json")
        assert said.code == 0, said.text
        found: dict[str, Any] = json.loads(said.out)
        return found

    def wait(self, name: str, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The object once `holds` is true of it; fails with the object's story otherwise."""
        with contextlib.closing(self.follow(name)) as told:
            return next(found for found in told if settled(found) and holds(found))

    def follow(self, *name: str) -> Generator[dict[str, Any]]:
        """The object, or all of them, and again at every change; fails when no more is told.

        One `slipway get -w` tells every change: asking again and again by new processes would take
        the very processor that the engine and the build wait for.
        """
        watch = subprocess.Popen(
            self.complete(("get", *name, "-w", "-o", "json")),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=self._environment(),
        )
        guard = threading.Timer(HANG_SECONDS, watch.kill)
        guard.start()
        said = ""
        try:
            assert watch.stdout is not None
            for line in watch.stdout:
                said += line
                if line != "}\n":  # the end of an object, printed with indents
                    continue
                yield json.loads(said)
                said = ""
        finally:
            guard.cancel()
            watch.kill()
            watch.communicate()
        story = "\n".join(self.run("describe", one).text for one in name)
        raise AssertionError(f"never came true: {said}\n{story}")

    def eventually(self, holds: Callable[[], bool]) -> None:
        """Wait until `holds` is true; the deadline is a hang guard."""
        deadline = time.monotonic() + HANG_SECONDS
        while not holds():
            assert time.monotonic() < deadline, "never came true"
            time.sleep(0.1)

    def pause(self, seconds: float) -> None:
        """Let the engine get somewhere, so that the next blow hits another moment."""
        time.sleep(seconds)

    def post(self, found: Mapping[str, Any], path: str, **how: Any) -> httpx.Response:
        """One request to the model's own address."""
        address = self.address(found)
        headers = {**address.headers, **how.pop("headers", {})}
        return httpx.post(address.url + path, timeout=20, trust_env=False, headers=headers, **how)


def settled(found: Mapping[str, Any]) -> bool:
    """Whether status speaks of the spec as it stands now."""
    status = found.get("status") or {}
    return bool(status.get("observedGeneration") == found["metadata"]["generation"])


def condition(found: Mapping[str, Any], kind: str) -> dict[str, Any]:
    """A condition by type, or an empty one."""
    for each in (found.get("status") or {}).get("conditions") or []:
        if each["type"] == kind:
            return dict(each)
    return {"type": kind, "status": "Unknown", "reason": "", "message": ""}


def is_true(kind: str) -> Callable[[Mapping[str, Any]], bool]:
    return lambda found: condition(found, kind)["status"] == "True"


def has_reason(reason: str, kind: str = "Ready") -> Callable[[Mapping[str, Any]], bool]:
    return lambda found: condition(found, kind)["reason"] == reason


def deployment(name: str, uri: str | None = None, **spec: Any) -> dict[str, Any]:
    """The smallest ModelDeployment that serves `uri`; keywords are merged into its spec. Without a
    rollout among them what is changed serves as soon as it can."""
    model = {**({} if uri is None else {"uri": uri}), **spec.pop("model", {})}
    return {
        "apiVersion": "slipway.dev/v1alpha1",
        "kind": "ModelDeployment",
        "metadata": {"name": name},
        "spec": {"model": model, "rollout": {"strategy": "Immediate"}, **spec},
    }
