"""A driver for the user stories: what a person does at a terminal, on a laptop engine of its own.

Everything goes through the `slipway` command or a model's URL, as a user would; the engine's
folder is read only to break it. A cluster driver has the same methods.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil
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


@dataclass(kw_only=True)
class Laptop:
    """One engine in one folder."""

    data: Path
    environment: dict[str, str] = field(default_factory=dict)
    program: Path = SLIPWAY

    def run(self, *arguments: str, text: str | None = None, timeout: float = HANG_SECONDS) -> Said:
        """Run `slipway ARGUMENTS` against this engine and wait for its end."""
        done = subprocess.run(
            [str(self.program), *arguments],
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
        return {**base, "SLIPWAY_DATA": str(self.data)}

    def start(self) -> None:
        said = self.run("up", "--detach")
        assert said.code == 0, said.text

    def stop(self) -> None:
        said = self.run("down", "--purge")
        assert said.code == 0, said.text

    def apply(self, document: Mapping[str, Any] | str, *options: str) -> Said:
        text = document if isinstance(document, str) else yaml.safe_dump(dict(document))
        return self.run("apply", "-f", "-", *options, text=text)

    def get(self, name: str) -> dict[str, Any]:
        said = self.run("get", name, "-o", "json")
        assert said.code == 0, said.text
        found: dict[str, Any] = json.loads(said.out)
        return found

    def all(self) -> dict[str, dict[str, Any]]:
        """Every ModelDeployment by its name."""
        said = self.run("get", "-o", "json")
        assert said.code == 0, said.text
        return {one["metadata"]["name"]: one for one in json.loads(said.out)["items"]}

    def wait(self, name: str, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The object once `holds` is true of it; fails with the object's story otherwise.

        One `slipway get -w` tells every change: asking again and again by new processes would take
        the very processor that the engine and the build wait for.
        """
        watch = subprocess.Popen(
            [str(SLIPWAY), "get", name, "-w", "-o", "json"],
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
                found: dict[str, Any] = json.loads(said)
                said = ""
                if settled(found) and holds(found):
                    return found
        finally:
            guard.cancel()
            watch.kill()
            watch.communicate()
        raise AssertionError(f"never came true: {said}\n{self.run('describe', name).text}")

    def eventually(self, holds: Callable[[], bool]) -> None:
        """Wait until `holds` is true; the deadline is a hang guard."""
        deadline = time.monotonic() + HANG_SECONDS
        while not holds():
            assert time.monotonic() < deadline, f"never came true:\n{self.processes()}"
            time.sleep(0.1)

    def pause(self, seconds: float) -> None:
        """Let the engine get somewhere, so that the next blow hits another moment."""
        time.sleep(seconds)

    def engine_pid(self) -> int:
        return int(json.loads((self.data / "engine.json").read_text())["pid"])

    def kill_engine(self) -> None:
        """kill -9, and wait until the process is gone."""
        pid = self.engine_pid()
        os.kill(pid, signal.SIGKILL)
        deadline = time.monotonic() + HANG_SECONDS
        while psutil.pid_exists(pid) and time.monotonic() < deadline:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return
            time.sleep(0.02)

    def processes(self) -> list[str]:
        """Command lines of every process that works in this engine's folder."""
        found = []
        for process in psutil.process_iter(["pid", "cmdline", "environ"]):
            command = " ".join(process.info["cmdline"] or [])
            environment = process.info["environ"] or {}
            if process.pid == os.getpid():
                continue
            if str(self.data) in command or str(self.data) in " ".join(environment.values()):
                found.append(f"{process.pid} {command}")
        return found

    def serving(self, revision: str | None = None) -> int:
        """How many processes serve in this engine's folder: of one revision, or of all."""
        count = 0
        for process in psutil.process_iter(["cmdline", "environ"]):
            environment = process.info["environ"] or {}
            ours = str(self.data) in environment.get("SLIPWAY_MODEL_DIR", "")
            serves = (process.info["cmdline"] or [])[-1:] == ["serve"]
            count += ours and serves and revision in (None, environment.get("SLIPWAY_REVISION"))
        return count

    def post(self, found: Mapping[str, Any], path: str, **how: Any) -> httpx.Response:
        """One request to the model's own address, as `status.url` gives it."""
        return httpx.post(found["status"]["url"] + path, timeout=20, **how)


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


def deployment(name: str, uri: str, **spec: Any) -> dict[str, Any]:
    """The smallest ModelDeployment that serves `uri`; keywords are merged into its spec."""
    model = {"uri": uri, **spec.pop("model", {})}
    return {
        "apiVersion": "slipway.dev/v1alpha1",
        "kind": "ModelDeployment",
        "metadata": {"name": name},
        "spec": {"model": model, **spec},
    }
