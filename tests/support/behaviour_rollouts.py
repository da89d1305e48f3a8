"""What the stories of rollouts share: models of countries, steps that need no longer than their
evidence, and one model that serves under load."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from behaviour_load import Load
from behaviour_terminal import Terminal, is_true

FOUR, THREE = "DE ES FR IT", "DE FR IT"
ORDINARY = [[{"country": country}] for country in THREE.split()] * 6
# Every nineteenth request is of the fourth country, and every third one.
WITH_SOME, WITH_MANY = [*ORDINARY, [{"country": "ES"}]], [*ORDINARY[:2], [{"country": "ES"}]]
FEW = {"requests": 5, "seconds": 1}


def canary(*percents: int, **more: Any) -> dict[str, Any]:
    """A rollout that needs no longer than its evidence does."""
    steps = [
        {"type": "Weight", "weight": {"percent": percent, "minSeconds": 2}} for percent in percents
    ]
    return {"strategy": "Canary", "warmUp": FEW, "steps": steps} | more


class Story:
    """One model that serves, and the load on it."""

    def __init__(self, user: Terminal, name: str, path: Path, rollout: dict[str, Any]) -> None:
        self.user, self.name, self.rollout = user, name, rollout
        self.ask(path)
        self.before = user.wait(name, is_true("UpToDate"))
        self.old = self.before["status"]["stableRevision"]

    def ask(self, path: Path, *, timeout_seconds: int = 10) -> None:
        # Aborted revisions stay for a while, and the node is a small one.
        serving = {
            "resources": {"requests": {"cpu": "20m"}},
            "timeoutSeconds": timeout_seconds,
        }
        document = self.user.document(
            self.name, path, model={"runtime": "Native"}, rollout=self.rollout, serving=serving
        )
        assert self.user.apply(document).code == 0

    def load(self, bodies: list[Any], per_second: float = 150) -> Load:
        address = self.user.address(self.before)
        return Load(
            url=f"{address.url}/predict",
            bodies=bodies,
            headers=address.headers,
            per_second=per_second,
        )

    def wait_for_state(self, *states: str) -> dict[str, Any]:
        return self.user.wait(self.name, lambda found: state_of(found) in states)

    def events(self) -> str:
        return self.user.run("get", "events").out


def state_of(found: Mapping[str, Any]) -> str:
    return str(((found.get("status") or {}).get("rollout") or {}).get("state", ""))


def is_promoted(old: str) -> Any:
    def holds(found: dict[str, Any]) -> bool:
        return is_true("UpToDate")(found) and found["status"]["stableRevision"] != old

    return holds
