"""Golden stories: what they hold, how they are read and written. A story is a pair of YAML files.

`NAME.in.yaml`: `about`, `settings` (laptop | cluster), `now`, `model` (the ModelDeployment),
`observed` (`objects`, `absentSecrets`, `allowedHosts`, `hostHolders`). `NAME.out.yaml`: the plan.
"""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from slipway_operator.plan import Apply, Plan, make_plan
from slipway_operator.settings import Settings
from slipway_operator.state.observed import Observed

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
    observed = story["observed"]
    return make_plan(
        asked=story["model"],
        observed=Observed(
            objects=tuple(observed["objects"]),
            absent_secrets=frozenset(observed["absentSecrets"]),
            allowed_hosts=tuple(observed.get("allowedHosts", ())),
            host_holders=observed.get("hostHolders", {}),
        ),
        settings=SETTINGS[story["settings"]],
        now=datetime.fromisoformat(story["now"]),
    )


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
