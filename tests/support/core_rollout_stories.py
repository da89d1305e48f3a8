"""Writes the golden stories of rollouts: `python tests/support/core_rollout_stories.py`, then
`make golden` for their ends. Each is the one pass of a life in which something is decided.
"""

import copy
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from core_cluster import Behaviour
from core_golden import STORIES, plan_story, render_look, render_yaml
from core_watched import NAME, Watched, digest
from slipway_operator.state.readings import Readings

Json = dict[str, Any]


def step(percent: int, **rest: Any) -> Json:
    return {"type": "Weight", "weight": {"percent": percent, **rest}}


STEPS = [step(10), step(100)]


@dataclass
class Life:
    """A life that is looked at before each pass."""

    world: Watched
    looks: list[Readings]  # the counts that the status does not keep
    is_gateway_slow: bool = False

    def write(self, name: str | None, about: str, *, when: Callable[[Json, Json], bool]) -> None:
        """Go on until a pass turns the status so; that pass is the story."""
        for _ in range(120):
            self.world.cluster.serve(self.world.per_tick)
            if self._turns(self.looks, when):
                # The fewest looks with which it is decided.
                tails = (self.looks[len(self.looks) - least :] for least in range(len(self.looks)))
                looks = next((tail for tail in tails if self._turns(tail, when)), self.looks)
                if name is not None:
                    text = render_yaml(self.tell(about, looks=looks))
                    (STORIES / f"rollout-{name}.in.yaml").write_text(text)
                self.go()
                return
            self.go()
        raise AssertionError(f"{name} does not happen: {self.world.states[-4:]}")

    def _turns(self, looks: list[Readings], when: Callable[[Json, Json], bool]) -> bool:
        told = plan_story(self.tell("", looks=looks)).status
        return told is not None and when(self.world.status, dict(told))

    def go(self) -> None:
        before = self.world.status.get("analysis")
        readings = self.world.cluster.read(NAME)
        self.world.go()
        # What the status keeps is not counted again.
        if readings is None or self.world.status.get("analysis") != before:
            self.looks.clear()
        if readings is not None:
            self.looks.append(readings)
        if not self.is_gateway_slow:
            self.world.cluster.tick()
        self.world.cluster.wait(2)

    def tell(self, about: str, *, looks: list[Readings]) -> Json:
        observed = self.world.cluster.observe(NAME)
        looks = [*looks, *([observed.readings] if observed.readings else [])]
        story: Json = {
            "about": about,
            "settings": "laptop",
            "now": self.world.cluster.instant(),
            "model": self.world.cluster.objects[("ModelDeployment", NAME)],
            "observed": {"objects": list(observed.objects), "absentSecrets": []},
        }
        if looks:
            story["observed"]["readings"] = [render_look(look) for look in looks]
        return copy.deepcopy(story)


def begin(*, new: Mapping[str, Any] | None = None, **rollout: Any) -> Life:
    world = Watched()
    world.know("old", Behaviour(digest=digest("1")))
    world.know("new", Behaviour(digest=digest("2"), **(new or {})))
    world.know("newer", Behaviour(digest=digest("3")))
    world.ask("old", **({"steps": STEPS} | rollout))
    world.live(120, until="Stable")
    world.cluster.wait(60)
    world.ask("new")
    return Life(world=world, looks=[])


def state(status: Json) -> str:
    return str(status.get("rollout", {}).get("state", "Pending"))


def turns(old: str, new: str) -> Callable[[Json, Json], bool]:
    return lambda before, after: (state(before), state(after)) == (old, new)


def reaches(new: str) -> Callable[[Json, Json], bool]:
    return lambda before, after: state(before) != new and state(after) == new


def ends(outcome: str) -> Callable[[Json, Json], bool]:
    def has_come(before: Json, after: Json) -> bool:
        last = after["history"][0]
        return last["outcome"] == outcome and before["history"] != after["history"]

    return has_come


def answers(verb: str) -> Callable[[Json, Json], bool]:
    return lambda _, after: after.get("lastCommand", {}).get("message", "").startswith(verb)


def index(number: int) -> Callable[[Json, Json], bool]:
    def has_come(before: Json, after: Json) -> bool:
        return (before["rollout"].get("stepIndex", 0), after["rollout"].get("stepIndex", 0)) == (
            number - 1,
            number,
        )

    return has_come


def tell_good_one() -> None:
    life = begin()
    life.write("01-weight", "Its pod is ready: the idle slot names it.", when=reaches("Shifting"))
    life.is_gateway_slow = True
    life.write("02-verify", "The gateway has yet to confirm it.", when=reaches("Verifying"))
    life.is_gateway_slow = False
    life.write("03-observing", "The gateway confirmed it.", when=reaches("Observing"))
    life.write("04-step-passed", "Every metric passes: the next step.", when=index(1))
    life.write("05-last-step", "The last step passes: all requests.", when=reaches("Promoting"))
    life.write("06-promoted", "Both slots name it, confirmed.", when=reaches("Draining"))
    life.world.ask("old")
    life.write("07-fast-lane", "What served before comes back.", when=reaches("Promoting"))


def tell_bad_one() -> None:
    life = begin(new={"errors": 0.05})
    life.write("11-failed", "The evidence is against it.", when=reaches("Aborting"))
    life.write("12-rolled-back", "No slot names it any more.", when=reaches("RolledBack"))


def tell_interruptions() -> None:
    life = begin(steps=[step(10, minSeconds=60), {"type": "Approval"}, step(100)])
    life.write(None, "", when=reaches("Observing"))
    life.world.change("old", mute=True)
    life.write("21-held", "Pods cannot be read.", when=reaches("Held"))
    life.world.change("old", mute=False)
    life.write("22-read-again", "They tell again.", when=turns("Held", "Observing"))
    life.world.command("pause")
    life.write("23-paused", "Somebody pauses it.", when=reaches("Paused"))
    life.world.command("resume")
    life.write("24-resumed", "Somebody resumes it.", when=turns("Paused", "Observing"))
    life.write("25-approval", "It waits for an approval.", when=reaches("Paused"))
    life.world.command("promote")
    life.write("26-approved", "Somebody promotes it.", when=answers("promote"))
    life.world.command("abort")
    life.write("27-aborted", "Somebody aborts it.", when=reaches("Aborting"))


def tell_changes_of_mind() -> None:
    life = begin()
    life.write(None, "", when=reaches("Observing"))
    life.world.ask("newer")
    life.write("31-newer", "A newer model is to be built: all goes back.", when=reaches("Aborting"))
    life.write("32-superseded", "No slot names it any more.", when=ends("Superseded"))
    life.write(None, "", when=reaches("Observing"))
    life.world.ask("old")
    life.write("33-reverted", "The spec goes back.", when=reaches("Aborting"))
    life.write("34-stable", "No slot names it any more.", when=ends("RolledBack"))


def tell_queue() -> None:
    life = begin(onNewRevision="Queue")
    life.write(None, "", when=reaches("Observing"))
    life.world.ask("newer")
    life.write("35-queue", "A newer one is built, and waits.", when=_is_queued)


def _is_queued(_: Json, after: Json) -> bool:
    models = {row["hash"]: row.get("model") for row in after["revisions"]}
    return digest("3") in models.values() and models[after["canaryRevision"]] == digest("2")


def tell_dead_pods() -> None:
    life = begin()
    life.write(None, "", when=reaches("Observing"))
    life.world.change("new", pod="silent")
    life.world.cluster.tick()
    life.write("41-dead-pods", "Its pod is gone: no requests.", when=reaches("Scaling"))


def tell_shadow() -> None:
    copies = {"type": "Shadow", "shadow": {"percent": 30}}
    life = begin(steps=[copies, step(100)])
    life.write("51-copies", "Its pod is ready: it gets copies.", when=reaches("Shifting"))
    life.write("52-shadowing", "The gateway confirmed it.", when=reaches("Shadowing"))
    life.write("53-shadow-passed", "It does well: no copies, but requests.", when=index(1))
    life = begin(new={"errors": 0.05}, steps=[copies, step(100)])
    life.write(
        "54-shadow-failed", "It fails with copies: no more of them.", when=reaches("Aborting")
    )
    life.write("55-shadow-ended", "It gets none any more.", when=reaches("RolledBack"))


def tell_blue_green() -> None:
    life = begin(strategy="BlueGreen", steps=[])
    life.write("61-switch", "Its pod is ready: it enters, then gets all.", when=reaches("Shifting"))
    life.write("62-switched", "All requests are there, confirmed.", when=reaches("Observing"))
    life = begin(new={"errors": 0.05}, strategy="BlueGreen", steps=[])
    life.write("63-switch-back", "It does badly: all goes back.", when=reaches("Aborting"))


def tell_rollback() -> None:
    life = begin()
    life.write(None, "", when=reaches("Stable"))
    life.world.command("rollback")
    life.write("71-rollback", "Somebody brings the former one back.", when=answers("rollback"))
    life.write("72-returned", "All requests go to it.", when=reaches("RolledBack"))
    life.world.command("retry")
    life.write("73-retry", "Somebody tries the newer one again.", when=answers("retry"))


def list_lives() -> Iterator[Callable[[], None]]:
    yield from (
        tell_good_one,
        tell_bad_one,
        tell_interruptions,
        tell_changes_of_mind,
        tell_queue,
        tell_dead_pods,
        tell_shadow,
        tell_blue_green,
        tell_rollback,
    )


if __name__ == "__main__":
    for tell in list_lives():
        tell()
    for path in sorted(STORIES.glob("rollout-*.in.yaml")):
        plan_story(yaml.safe_load(path.read_text()))
