"""What serving pods have counted, as an edge read it from all of them at one moment."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from slipway_operator.contract import PORT_METRICS, PORT_NAME_METRICS
from slipway_operator.state.answers import Answers
from slipway_operator.state.canonical import read_json_object
from slipway_operator.state.identity import ANNOTATION_PORTS, LABEL_REVISION
from slipway_operator.state.instants import read_instant
from slipway_operator.state.observed import (
    is_terminating,
    read_annotations,
    read_conditions,
    read_labels,
    read_name,
    read_uid,
)
from slipway_operator.state.tallies import Tally

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A pod to ask: at `address` it tells what it has counted."""

    pod: str
    uid: str
    revision: str
    address: str
    ready_since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What one pod has counted since it started, of users' requests.

    Attributes:
        latency: how many requests took at most so many seconds, by rising bounds.
        errors: requests answered with 500 or more.
        violations: breaks of the contract's rules, one for each row and rule.
        refused: those of them whose rows were not given to the model.
        mirrored: the same of copies of requests that another revision answered; None: no copy yet.
    """

    requests: int = 0
    errors: int = 0
    latency: tuple[tuple[float, int], ...] = ()
    rows: int = 0
    violations: int = 0
    refused: int = 0
    mirrored: "Reading | None" = None

    @property
    def copies(self) -> "Reading":
        """What was counted of copies."""
        return self.mirrored or Reading()

    def is_after(self, other: "Reading") -> bool:
        """Whether the same process may have counted both, this one later: no count went back."""
        return (
            self.requests >= other.requests
            and self.rows >= other.rows
            and self.errors >= other.errors
            and (other.mirrored is None or self.copies.is_after(other.mirrored))
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Readings:
    """All pods at one moment, and what the queries of a spec's own metrics found.

    Attributes:
        unread: by pod, why it could not be asked.
        answers: what they have answered lately, where that was asked for.
        unanswered: by pod, why it did not tell that.
        tallies: by metric and revision.
        untold: by metric, why its queries have no answer.
    """

    at: datetime
    found: tuple[tuple[Source, Reading], ...] = ()
    unread: Mapping[str, str] = field(default_factory=dict)
    answers: tuple[tuple[Source, Answers], ...] = ()
    unanswered: Mapping[str, str] = field(default_factory=dict)
    tallies: Mapping[tuple[str, str], Tally] = field(default_factory=dict)
    untold: Mapping[str, str] = field(default_factory=dict)


def list_sources(pods: Iterable[Json]) -> tuple[Source, ...]:
    """The pods that are ready, by name: one that is not gets no request that counts."""
    found = []
    for pod in pods:
        status = pod.get("status") or {}
        ready = read_conditions(pod).get("Ready") or {}
        since = read_instant(ready.get("lastTransitionTime"))
        address = _find_address(pod)
        if is_terminating(pod) or ready.get("status") != "True" or since is None:
            continue
        if status.get("phase") != "Running" or address is None:
            continue
        found.append(
            Source(
                pod=read_name(pod),
                uid=read_uid(pod),
                revision=read_labels(pod).get(LABEL_REVISION, ""),
                address=address,
                ready_since=since,
            )
        )
    return tuple(sorted(found, key=lambda source: source.pod))


def _find_address(pod: Json) -> str | None:
    """HOST:PORT of a pod's metrics. On a laptop, where all share an address, the port differs."""
    address = (pod.get("status") or {}).get("podIP")
    ports = read_json_object(read_annotations(pod).get(ANNOTATION_PORTS)) or {}
    port = ports.get(PORT_NAME_METRICS, PORT_METRICS)
    if not address:
        return None
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
