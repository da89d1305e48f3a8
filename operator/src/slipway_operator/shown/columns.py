"""Which columns `get` shows for each kind, in the command and in kubectl. Pure."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from slipway_operator.shown.words import age_of

Object = Mapping[str, Any]
Cell = Callable[[Object, datetime], str]


def find_condition(item: Object, kind: str) -> Mapping[str, Any]:
    """A condition by type, or an empty one."""
    for each in (item.get("status") or {}).get("conditions") or []:
        if each.get("type") == kind:
            return dict(each)
    return {}


def _age(item: Object, now: datetime) -> str:
    return age_of(item["metadata"].get("creationTimestamp"), now)


def _path(*names: str) -> Cell:
    def cell(item: Object, _now: datetime) -> str:
        found: Any = item
        for name in names:
            found = found.get(name) if isinstance(found, Mapping) else None
        return "" if found is None else str(found)

    return cell


def _ready(field: str) -> Cell:
    return lambda item, _now: str(find_condition(item, "Ready").get(field, ""))


def _since(item: Object, now: datetime) -> str:
    moment = (item.get("status") or {}).get("since")
    return age_of(moment, now) if moment else ""


def _ready_of(ready: str, wanted: str) -> Cell:
    def cell(item: Object, _now: datetime) -> str:
        desired = (item.get("spec") or {}).get(wanted, 1)
        return f"{(item.get('status') or {}).get(ready, 0)}/{desired}"

    return cell


def _pod_ready(item: Object, _now: datetime) -> str:
    containers = (item.get("status") or {}).get("containerStatuses") or []
    total = len((item.get("spec") or {}).get("containers") or containers)
    return f"{sum(1 for each in containers if each.get('ready'))}/{total}"


def _restarts(item: Object, _now: datetime) -> str:
    containers = (item.get("status") or {}).get("containerStatuses") or []
    return str(sum(each.get("restartCount", 0) for each in containers))


def _event_object(item: Object, _now: datetime) -> str:
    about = item.get("regarding") or item.get("involvedObject") or {}
    return f"{str(about.get('kind', '')).lower()}/{about.get('name', '')}"


def last_seen(event: Object) -> str:
    """The newest time an event carries, in either of its two forms."""
    series = event.get("series") or {}
    found = (
        series.get("lastObservedTime")
        or event.get("deprecatedLastTimestamp")
        or event.get("lastTimestamp")
        or event.get("eventTime")
        or event["metadata"].get("creationTimestamp")
    )
    return str(found or "")


def _hosts(item: Object, _now: datetime) -> str:
    return ",".join((item.get("spec") or {}).get("hostnames") or [])


_NAME: Final = ("NAME", _path("metadata", "name"))
_AGE: Final = ("AGE", _age)
_DISPLAY: Final = "display"

NARROW: Final[Mapping[str, tuple[tuple[str, Cell], ...]]] = {
    "ModelDeployment": (
        _NAME,
        ("URL", _path("status", "url")),
        ("READY", _ready("status")),
        ("REASON", _ready("reason")),
        ("STABLE", _path("status", _DISPLAY, "stable")),
        ("CANARY", _path("status", _DISPLAY, "canary")),
        ("WEIGHT", _path("status", _DISPLAY, "weightPercent")),
        ("REPLICAS", _path("status", "replicas")),
        _AGE,
    ),
    "Pod": (
        _NAME,
        ("READY", _pod_ready),
        ("STATUS", _path("status", "phase")),
        ("RESTARTS", _restarts),
        _AGE,
    ),
    "Event": (
        ("LAST SEEN", lambda item, now: age_of(last_seen(item), now)),
        ("TYPE", _path("type")),
        ("REASON", _path("reason")),
        ("OBJECT", _event_object),
        ("MESSAGE", lambda item, _now: str(item.get("note") or item.get("message") or "")),
    ),
    "Deployment": (_NAME, ("READY", _ready_of("readyReplicas", "replicas")), _AGE),
    "Job": (_NAME, ("COMPLETIONS", _ready_of("succeeded", "completions")), _AGE),
    "HTTPRoute": (_NAME, ("HOSTNAMES", _hosts), _AGE),
}
WIDE: Final[Mapping[str, tuple[tuple[str, Cell], ...]]] = {
    "ModelDeployment": (
        ("STEP", _path("status", _DISPLAY, "step")),
        ("RUNTIME", _path("status", _DISPLAY, "runtime")),
        ("FAULTS", _path("status", _DISPLAY, "faults")),
        ("SINCE", _since),
        ("MESSAGE", _ready("message")),
    ),
}


def columns_of(kind: str, *, wide: bool, namespaces: bool) -> tuple[tuple[str, Cell], ...]:
    """Header and cell of each column of a kind; with `namespaces` the first one is NAMESPACE."""
    found = NARROW.get(kind, (_NAME, _AGE))
    if wide:
        found = (*found, *WIDE.get(kind, ()))
    return (("NAMESPACE", _path("metadata", "namespace")), *found) if namespaces else found


def row_of(item: Object, columns: tuple[tuple[str, Cell], ...], now: datetime) -> list[str]:
    """The cells of one object; a line break in a value becomes a space."""
    return [" ".join(cell(item, now).split()) for _, cell in columns]
