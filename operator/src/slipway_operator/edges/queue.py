"""A level-triggered work queue: keys wake, one worker a key, failures back off with jitter.

A key that wakes while it is being worked on is worked on once more afterwards; a key that wakes
ten times before its turn is worked on once. Used by the reconcile loop and by every controller of
the laptop engine. It must not know what the keys mean.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

log = logging.getLogger(__name__)

Handler = Callable[[str], Awaitable[float | None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """Exponential back-off with full jitter: a wait in ``[0, min(cap, first * 2**n)]`` seconds."""

    first_seconds: float = 1.0
    cap_seconds: float = 300.0

    def compute_ceiling(self, failures: int) -> float:
        """The longest wait after this many failures in a row (``failures >= 1``)."""
        return min(self.cap_seconds, self.first_seconds * 2.0 ** min(failures - 1, 32))


class KeyedLoop:
    """Runs ``handler(key)`` for every key that wakes; the handler returns seconds to wake again."""

    def __init__(
        self,
        *,
        name: str,
        handler: Handler,
        backoff: Backoff | None = None,
        on_failure: Callable[[str, BaseException], None] | None = None,
    ) -> None:
        self._name = name
        self._handler = handler
        self._backoff = backoff or Backoff()
        self._on_failure = on_failure
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._running: dict[str, asyncio.Task[None]] = {}
        self._again: set[str] = set()
        self._failures: dict[str, int] = {}
        self._closed = False

    @property
    def depth(self) -> int:
        """Keys that are worked on, or whose turn has come."""
        now = asyncio.get_running_loop().time()
        return len(self._running) + sum(timer.when() <= now for timer in self._timers.values())

    def wake(self, key: str, *, after_seconds: float = 0.0) -> None:
        """Have ``key`` worked on, at the latest after that many seconds."""
        if self._closed:
            return
        loop = asyncio.get_running_loop()
        due = loop.time() + after_seconds
        timer = self._timers.get(key)
        if timer is not None:
            if timer.when() <= due:
                return
            timer.cancel()
        self._timers[key] = loop.call_at(due, self._start, key)

    def _start(self, key: str) -> None:
        self._timers.pop(key, None)
        if self._closed:
            return
        if key in self._running:
            self._again.add(key)
            return
        task = asyncio.get_running_loop().create_task(self._work(key), name=f"{self._name}:{key}")
        self._running[key] = task

    async def _work(self, key: str) -> None:
        after: float | None = None
        try:
            after = await self._handler(key)
            self._failures.pop(key, None)
        except asyncio.CancelledError:
            raise
        except Exception as error:  # a controller's edge: one bad key must not stop the others
            failures = self._failures.get(key, 0) + 1
            self._failures[key] = failures
            after = random.uniform(0.0, self._backoff.compute_ceiling(failures))  # noqa: S311  jitter
            log.warning(
                '%s of "%s" failed (%d in a row), again in %.1f s: %s: %s',
                self._name, key, failures, after, type(error).__name__, error,
                exc_info=log.isEnabledFor(logging.DEBUG),
            )  # fmt: skip
            if self._on_failure is not None:
                self._on_failure(key, error)
        finally:
            self._running.pop(key, None)
            if key in self._again:
                self._again.discard(key)
                after = 0.0 if key not in self._failures else after
        if after is not None:
            self.wake(key, after_seconds=after)

    async def close(self) -> None:
        """Stop: no key is started any more, and those at work are cancelled and waited for."""
        self._closed = True
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        tasks = list(self._running.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
