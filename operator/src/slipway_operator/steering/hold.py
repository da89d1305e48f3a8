"""With a spec that cannot be read, everything that serves is kept as it is."""

from slipway_operator.api.defaults import (
    PROGRESS_DEADLINE_SECONDS,
    REPLICAS,
    SCALE_DOWN_DELAY_SECONDS,
)
from slipway_operator.api.errors import SpecError
from slipway_operator.decide.former import find_served
from slipway_operator.decide.health import Health, assess_revision
from slipway_operator.decide.retirement import decide_retirements
from slipway_operator.decide.verdicts import Finding
from slipway_operator.state.autoscaled import count_autoscaled
from slipway_operator.state.observed import (
    Json,
)
from slipway_operator.steering.revisions import build_revision
from slipway_operator.steering.world import Outcome, World


def hold_still(world: World, *, errors: tuple[SpecError, ...]) -> Outcome:
    """With a spec that cannot be read, what serves goes on: its children are kept, nothing
    moves."""
    desired: list[Json] = []
    health: dict[str, Health] = {}
    needed = sorted(world.in_slots | ({world.stable} if world.stable else set()))
    autoscaled = count_autoscaled(world.states)
    counts = {row.hash: row.desired for row in world.before.revisions} | autoscaled
    for revision in needed:
        state = world.states.get(revision)
        if state is None:
            continue
        replicas = counts.get(revision, state.desired if state.deployment else REPLICAS)
        health[revision] = assess_revision(
            state=state,
            replicas=replicas,
            progress_deadline_seconds=PROGRESS_DEADLINE_SECONDS,
            now=world.now,
        )
        if state.snapshot is not None:
            ours = None if revision in autoscaled else replicas
            desired += build_revision(world, state.snapshot, replicas=ours)
    named = " ".join(
        error.message if error.path in error.message else f"{error.path}: {error.message}"
        for error in errors
    )
    stable = world.states.get(world.stable or "")
    retired = decide_retirements(
        states=world.states,
        needed=needed,
        before={row.hash: row for row in world.before.revisions},
        confirmed=False,
        delays=dict.fromkeys(world.states, SCALE_DOWN_DELAY_SECONDS),
        now=world.now,
    )
    return Outcome(
        desired=tuple(desired),
        blocked=Finding(reason="InvalidSpec", message=named, final=True),
        build_status=world.before.build,
        model=world.before.model,
        stable=world.stable,
        slots=world.slots,
        arrived=True,
        health=health,
        retired=retired,
        served=find_served(
            states=world.states,
            before=world.before,
            stable=world.stable,
            rejected=world.before.rejected_digests,
            now=world.now,
        ),
        replicas=counts.get(world.stable or "", stable.desired if stable else REPLICAS),
        autoscaled=autoscaled,
    )
