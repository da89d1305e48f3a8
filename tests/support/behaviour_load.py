"""A constant load that misses no beat: an open loop on a thread, every answer kept."""

import itertools
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import httpx


@dataclass(kw_only=True)
class Load:
    """`per_second` requests to `url`, the `bodies` in turn, until the block ends.

    `answers` holds (status, revision) in order; a connection that fails counts as status 0.
    """

    url: str
    bodies: Sequence[Any]
    per_second: float = 50.0
    headers: dict[str, str] = field(default_factory=dict)
    answers: list[tuple[int, str]] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        beat = 1.0 / self.per_second
        due = time.monotonic()
        turns = itertools.cycle(self.bodies)
        with httpx.Client(timeout=20) as client:
            while not self._stop.wait(max(0.0, due - time.monotonic())):
                due += beat
                try:
                    answer = client.post(self.url, json=next(turns), headers=self.headers)
                except httpx.HTTPError:
                    self.answers.append((0, ""))
                    continue
                revision = answer.headers.get("x-model-revision", "")
                self.answers.append((answer.status_code, revision))

    @property
    def failed(self) -> list[tuple[int, str]]:
        return [answer for answer in self.answers if answer[0] != 200]

    def wait_for(self, count: int) -> None:
        """Until `count` more answers came."""
        goal = len(self.answers) + count
        deadline = time.monotonic() + 60
        while len(self.answers) < goal and time.monotonic() < deadline:
            time.sleep(0.05)
        assert len(self.answers) >= goal, "the load came to a halt"
