"""Who may use the model now: bounded concurrency, a bounded queue, a deadline for both.

One event loop; the fast way (a free place) takes no await. Expired and abandoned entries leave the
queue before they reach the model.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

from slipway_runtime.serving.core.faults import RequestFault
from slipway_runtime.serving.metrics import Metrics


class ClientGone(Exception):
    """Nobody waits for the answer any more."""


class Admission:
    """Places at the model.

    Args:
        places: how many requests may use the model at once.
        queue: how many may wait.
        metrics: where the queue's depth is shown.
    """

    def __init__(self, *, places: int, queue: int, metrics: Metrics) -> None:
        self._free = places
        self._limit = queue
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._metrics = metrics

    async def enter(self, deadline: float, gone: Callable[[], Awaitable[None]]) -> None:
        """Take a place, waiting until `deadline` (the loop's time) at most.

        Args:
            gone: comes back when the caller has hung up; called only where there is a wait.

        Raises:
            RequestFault: Overloaded (the queue is full) or DeadlineExceeded.
            ClientGone: the caller hung up meanwhile.
        """
        if self._free > 0:
            self._free -= 1
            return
        if len(self._waiting) >= self._limit:
            raise RequestFault("Overloaded", "Too many requests are waiting; try again shortly.")
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[None] = loop.create_future()
        self._waiting.append(turn)
        self._metrics.queue_depth = len(self._waiting)
        watch = loop.create_task(_watch(gone, turn))
        try:
            async with asyncio.timeout_at(deadline):
                await turn
        except TimeoutError as error:
            self._give_up(turn)
            raise RequestFault(
                "DeadlineExceeded", "The request waited too long for its turn."
            ) from error
        except (asyncio.CancelledError, ClientGone):
            self._give_up(turn)
            raise
        finally:
            watch.cancel()
            self._metrics.queue_depth = len(self._waiting)

    def leave(self) -> None:
        """Give the place back: to the next that waits, else to nobody."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1

    def _give_up(self, turn: asyncio.Future[None]) -> None:
        if turn in self._waiting:
            self._waiting.remove(turn)
        elif turn.done() and not turn.cancelled() and turn.exception() is None:
            self.leave()  # the turn came in the very moment of giving up


async def _watch(gone: Callable[[], Awaitable[None]], turn: asyncio.Future[None]) -> None:
    await gone()
    if not turn.done():
        turn.set_exception(ClientGone())
