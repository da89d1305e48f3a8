"""The same rules, held against the real unpickler: it asks before every import, and may be refused.

The walk before explains; this is what a file meets that the walk read otherwise than the
unpickler does. It hears `pickle.find_class`, which every unpickler in the process announces.
"""

import sys
import threading
from _compat_pickle import IMPORT_MAPPING, NAME_MAPPING
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from slipway_runtime.errors import BuildError
from slipway_runtime.scan.globals import judge
from slipway_runtime.scan.values import GETATTR

_watching = threading.local()
_installed = threading.Event()


@contextmanager
def watch_globals(
    refuse: Callable[[str, str], BuildError], *, takes_methods: bool = False
) -> Iterator[None]:
    """Refuse every name that `judge` refuses while the block runs, in this thread.

    Args:
        takes_methods: whether the walk saw a method taken by its name, which needs `getattr`.
        refuse: makes the error from the name and why it is refused.

    Raises:
        BuildError: what `refuse` made, out of the unpickler.
    """
    if not _installed.is_set():
        sys.addaudithook(_hear)  # it cannot be taken off again, so there is one
        _installed.set()
    _watching.refuse, _watching.takes_methods = refuse, takes_methods
    try:
        yield
    finally:
        _watching.refuse = None


def _hear(event: str, arguments: tuple[object, ...]) -> None:
    if event != "pickle.find_class":
        return
    refuse = getattr(_watching, "refuse", None)
    if refuse is None:
        return
    module, name = str(arguments[0]), str(arguments[1])
    # Announced before Python 2 names are mapped, without saying whether they will be.
    mapped = NAME_MAPPING.get((module, name), (module, name))
    mapped = (IMPORT_MAPPING.get(mapped[0], mapped[0]), mapped[1])
    if mapped == (GETATTR.module, GETATTR.name) and _watching.takes_methods:
        return
    why = judge(*mapped)
    if why is not None:
        raise refuse(f"{module}.{name}", why)
