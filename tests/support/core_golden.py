"""Golden stories: what they hold, how they are read and written. A story is a pair of YAML files.

`NAME.in.yaml`: `about`, `settings` (laptop | cluster), `now`, `model` (the ModelDeployment),
`observed` (`objects`, `absentSecrets`, `allowedHosts`, `hostHolders`, `readings`). `NAME.out.yaml`:
the plan. `readings` are looks at the pods' counts, `at` a time each; those before the last one are
of the passes before, in which nothing else was to be seen: they make the books of a rollout.
"""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from slipway_operator.decide.analysis.ledger import Ledger
from slipway_operator.plan import Apply, Plan, make_plan
from slipway_operator.settings import Settings
from slipway_operator.state.instants import render_instant
from slipway_operator.state.observed import Observed
from slipway_operator.state.readings import Reading, Readings, Source

STORIES = Path(__file__).parent.parent / "golden" / "stories"
SETTINGS = {
    "laptop": Settings.laptop(artifact_store="oci-layout:///store"),
    "cluster": Settings.cluster(
        artifact_store="oci-layout:///store",
        build_image="registry.example.com/slipway/build@sha256:" + "b" * 64,
        onnx_image="registry.example.com/slipway/onnx@sha256:" + "c" * 64,
        native_image="registry.example.com/slipway/native@sha256:" + "d" * 64,
        domain="models.example.com",
    ),
}


class _Dumper(yaml.SafeDumper):
    """Plain YAML: no anchors, long texts on their lines."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def list_stories() -> list[str]:
    return sorted(path.name.removesuffix(".in.yaml") for path in STORIES.glob("*.in.yaml"))


def render_yaml(value: Any) -> str:
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, width=100, allow_unicode=True)


def plan_story(story: Mapping[str, Any]) -> Plan:
    now = datetime.fromisoformat(story["now"])
    looks = [_read_look(look) for look in story["observed"].get("readings", ())]
    ledger = None
    for look in looks[:-1]:
        ledger = _plan(story, now=look.at, readings=look, ledger=ledger).ledger
    return _plan(story, now=now, readings=looks[-1] if looks else None, ledger=ledger)


def _plan(
    story: Mapping[str, Any], *, now: datetime, readings: Readings | None, ledger: Ledger | None
) -> Plan:
    observed = story["observed"]
    return make_plan(
        asked=story["model"],
        observed=Observed(
            objects=tuple(observed["objects"]),
            absent_secrets=frozenset(observed["absentSecrets"]),
            allowed_hosts=tuple(observed.get("allowedHosts", ())),
            host_holders=observed.get("hostHolders", {}),
            readings=readings,
        ),
        settings=SETTINGS[story["settings"]],
        now=now,
        ledger=ledger,
    )


def _read_look(look: Mapping[str, Any]) -> Readings:
    return Readings(
        at=datetime.fromisoformat(look["at"]),
        found=tuple(
            (
                Source(
                    pod=one["pod"],
                    uid=one["uid"],
                    revision=one["revision"],
                    address="10.1.0.9:9090",
                    ready_since=datetime.fromisoformat(one["readySince"]),
                ),
                _read_counts(one),
            )
            for one in look["pods"]
        ),
        unread=look["unread"],
    )


def _read_counts(told: Mapping[str, Any]) -> Reading:
    return Reading(
        requests=told["requests"],
        errors=told["errors"],
        latency=tuple((bound, number) for bound, number in told["latency"]),
        rows=told["rows"],
        violations=told["violations"],
        refused=told["refused"],
        mirrored=_read_counts(told["mirrored"]) if "mirrored" in told else None,
    )


def render_look(readings: Readings) -> dict[str, Any]:
    """The other way round, for whoever writes a story."""
    return {
        "at": render_instant(readings.at),
        "pods": [
            {
                "pod": source.pod,
                "uid": source.uid,
                "revision": source.revision,
                "readySince": render_instant(source.ready_since),
                **_render_counts(reading),
            }
            for source, reading in readings.found
        ],
        "unread": dict(readings.unread),
    }


def _render_counts(reading: Reading) -> dict[str, Any]:
    told: dict[str, Any] = {
        "requests": reading.requests,
        "errors": reading.errors,
        "latency": [list(pair) for pair in reading.latency],
        "rows": reading.rows,
        "violations": reading.violations,
        "refused": reading.refused,
    }
    if reading.mirrored is not None:
        told["mirrored"] = _render_counts(reading.mirrored)
    return told


def render_plan(plan: Plan) -> dict[str, Any]:
    return {
        "actions": [
            {"apply": dict(action.object)}
            if isinstance(action, Apply)
            else {
                "delete": {
                    "apiVersion": action.api_version,
                    "kind": action.kind,
                    "namespace": action.namespace,
                    "name": action.name,
                    "uid": action.uid,
                }
            }
            for action in plan.actions
        ],
        "status": None if plan.status is None else dict(plan.status),
        "events": [
            {"type": event.type, "reason": event.reason, "message": event.message}
            for event in plan.events
        ],
        "requeueAfterSeconds": plan.requeue_after_seconds,
    }
