"""The cluster as the operator reads and writes it; the official client is imported here alone."""

import sys
from importlib.util import find_spec, module_from_spec


def _leave_out_the_synchronous_client() -> None:
    """Make `kubernetes` known, for `kubernetes.aio`, without running its `__init__`.

    That imports the synchronous client with requests, OAuth and Google's sign-in, which nothing
    here calls: 11 MiB of memory, and 0.2 s of every start.
    """
    found = find_spec("kubernetes")
    if found is not None and "kubernetes" not in sys.modules:
        sys.modules["kubernetes"] = module_from_spec(found)


_leave_out_the_synchronous_client()
