"""The driver on a laptop engine of its own; the engine's folder is read only to break it."""

import json
import os
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from behaviour_terminal import HANG_SECONDS, Address, Terminal


@dataclass(kw_only=True)
class Laptop(Terminal):
    """One engine in one folder."""

    data: Path

    def place(self) -> dict[str, str]:
        return {"SLIPWAY_DATA": str(self.data)}

    def offer(self, path: Path, samples: Path | None = None) -> dict[str, Any]:
        beside = {} if samples is None else {"samples": {"uri": f"file:{samples}"}}
        return {"uri": f"file:{path}", **beside}

    def address(self, found: Mapping[str, Any]) -> Address:
        return Address(url=found["status"]["url"])

    def start(self) -> None:
        said = self.run("up", "--detach")
        assert said.code == 0, said.text

    def stop(self) -> None:
        said = self.run("down", "--purge")
        assert said.code == 0, said.text

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
