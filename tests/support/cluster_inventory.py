"""Everything that a namespace holds, of every kind that the API server knows."""

from cluster_access import Namespace
from cluster_reading import Object
from slipway_operator.state.identity import LABEL_UID

# Events tell what was, also of what is gone. Measures of pods are no objects: they fade later.
_PASSING = frozenset({"Event", "PodMetrics"})


def list_everything(namespace: Namespace) -> list[Object]:
    """Every object of a namespace, Events as well, with who wrote what."""
    reader = namespace.cluster.reader
    return [
        found
        for kind in reader.list_kinds()
        for found in reader.list(kind, namespace.name, managed=True)
    ]


def name_everything(namespace: Namespace) -> set[tuple[str, str]]:
    """Kind and name of everything in a namespace, but for what passes by itself."""
    return {
        (obj["kind"], obj["metadata"]["name"])
        for obj in list_everything(namespace)
        if obj["kind"] not in _PASSING
    }


def has_only(namespace: Namespace, kept: set[tuple[str, str]]) -> bool:
    """Whether nothing but these, by kind and name, is there.

    Pods go last, so they are looked at before all that takes a list of every kind.
    """
    pods = {("Pod", pod["metadata"]["name"]) for pod in namespace.list("pods")}
    return pods <= kept and name_everything(namespace) <= kept


def list_models(namespace: Namespace) -> set[str]:
    """The uids of the models of which anything is there: children, and all that hangs on them."""
    return {
        uid
        for obj in list_everything(namespace)
        if (uid := (obj["metadata"].get("labels") or {}).get(LABEL_UID))
    }
