"""Take a body whole: when it breaks off, go on where it stopped, or begin again.

Going on needs a strong validator (an ETag, or an address by digest): without one, or when the
source changed in between, the file is begun anew. The digest is over the whole in any case.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass

from slipway_runtime.artifact.errand import Errand
from slipway_runtime.artifact.sink import FileSink
from slipway_runtime.errors import BuildError

RESUMES = 4
_PAUSE_SECONDS = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """Bytes of one file from `start` on.

    Attributes:
        total: length of the whole file in bytes, or None when the source does not say.
        version: what must be the same for the next part to belong to this one, or None.
    """

    start: int
    total: int | None
    version: str | None
    chunks: Iterator[bytes]


# Opens the body at an offset; `version` is that of the part that is here already. An opener may
# answer from the start instead (Body.start = 0), never from anywhere else.
Open = Callable[[int, str | None], AbstractContextManager[Body]]


def receive(open_at: Open, sink: FileSink, errand: Errand) -> None:
    """Write the whole body into the sink.

    Raises:
        BuildError: what `open_at` and the sink raise; a retryable one only when no byte had come
            yet, or when it broke off more than `RESUMES` times.
    """
    version: str | None = None
    for resumes_left in reversed(range(RESUMES + 1)):
        try:
            with open_at(sink.size_bytes if version else 0, version) as body:
                if body.start != sink.size_bytes:
                    sink.restart()
                version = body.version
                if body.total is not None:
                    sink.expect(body.total)
                for chunk in body.chunks:
                    sink.write(chunk)
                if body.total is None or body.total == sink.size_bytes:
                    return
                raise errand.unavailable(
                    f"{sink.size_bytes} bytes came of {body.total}; try again later"
                )
        except BuildError as error:
            over = not resumes_left or errand.deadline.left() <= 0
            if over or not error.retryable or not sink.size_bytes:
                raise
            time.sleep(min(_PAUSE_SECONDS, errand.deadline.left()))
