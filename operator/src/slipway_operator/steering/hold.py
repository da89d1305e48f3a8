"""With a spec that cannot be read, everything that serves is kept as it is.

Nothing is judged meanwhile, for how to judge is in the spec. One thing needs no spec: what has no
pod that answers gets no requests, and the stable revision has them.
"""

from collections.abc import Mapping

from slipway_operator.api.defaults import (
    PROGRESS_DEADLINE_SECONDS,
    REPLICAS,
    SCALE_DOWN_DELAY_SECONDS,
)
from slipway_operator.api.errors import SpecError
from slipway_operator.decide.former import find_served
from slipway_operator.decide.health import Health, assess_revision
from slipway_operator.decide.retirement import decide_retirements
from slipway_operator.decide.rollout.hearing import hear_without_spec
from slipway_operator.decide.verdicts import Finding
from slipway_operator.routing.gateway_api import reweigh_route
from slipway_operator.state.autoscaled import count_autoscaled
from slipway_operator.state.identity import ChildKind
from slipway_operator.state.observed import (
    Json,
)
from slipway_operator.state.slots import LEAST, MOST, Slots
from slipway_operator.steering.revisions import build_revision
from slipway_operator.steering.world import Outcome, World


def hold_still(world: World, *, errors: tuple[SpecError, ...]) -> Outcome:
    """With a spec that cannot be read, what serves goes on: its children are kept, and nothing
    moves but the share of a new revision that is dead."""
    desired: list[Json] = []
    health: dict[str, Health] = {}
    protected = world.in_slots | ({world.stable} if world.stable else frozenset())
    # Copies go on, and so does what who has the token chose.
    needed = sorted(protected | world.copied | world.chosen)
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
            desired += build_revision(
                world, state.snapshot, replicas=ours, protected=revision in protected
            )
    slots = _spare(world, health)
    route = world.children.find(ChildKind.HTTP_ROUTE, world.owner.name)
    if slots is not None and slots != world.slots and route is not None:
        desired.append(reweigh_route(route, owner=world.owner, slots=slots))
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
        answer=hear_without_spec(
            world.command, before=world.before, uid=world.owner.uid, now=world.now
        ),
        blocked=Finding(reason="InvalidSpec", message=named, final=True),
        build_status=world.before.build,
        model=world.before.model,
        stable=world.stable,
        slots=slots,
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


def _spare(world: World, health: Mapping[str, Health]) -> Slots | None:
    """The slots; where the new revision is dead and the stable one is not, at the least weight."""
    slots, stable = world.slots, world.stable
    if slots is None or stable is None or len(slots.revisions) == 1:
        return slots
    if stable not in slots.revisions or stable not in health or not health[stable].answers:
        return slots
    other = slots.other(stable)
    is_dead = other not in health or not health[other].answers
    return slots.share(stable, MOST) if is_dead and slots.weigh(other) > LEAST else slots
