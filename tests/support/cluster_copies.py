"""Many models that serve one artifact: built once, and known to be built."""

import json
from collections.abc import Iterable

from cluster_access import Namespace, Object


def apply_copies(namespace: Namespace, built: Object, names: Iterable[str]) -> None:
    """Copies of a model that is up to date, with the build that its status froze.

    As after a restore from a backup: an operator that comes to them builds nothing. One that is
    there at the time would begin to.
    """
    asked = [
        {
            "apiVersion": built["apiVersion"],
            "kind": built["kind"],
            "metadata": {"name": name},
            "spec": built["spec"],
        }
        for name in names
    ]
    namespace.apply(*asked)
    frozen = {part: built["status"][part] for part in ("build", "model")}
    listed = [
        {**one, "status": {**frozen, "observedGeneration": 1, "conditions": []}} for one in asked
    ]
    namespace.kubectl(
        "apply", "--server-side", "--subresource=status", "-f", "-",
        given=json.dumps({"apiVersion": "v1", "kind": "List", "items": listed}),
    )  # fmt: skip
