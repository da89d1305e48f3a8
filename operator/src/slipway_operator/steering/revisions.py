"""The children of one revision."""

from slipway_operator.api.defaults import (
    PROGRESS_DEADLINE_SECONDS,
)
from slipway_operator.resources.deployment import build_deployment
from slipway_operator.resources.disruption import build_disruption_budget
from slipway_operator.resources.service import build_revision_service
from slipway_operator.state.observed import (
    Json,
)
from slipway_operator.state.revision import Snapshot
from slipway_operator.steering.world import World


def build_revision(
    world: World,
    snapshot: Snapshot,
    *,
    replicas: int | None,
    progress_deadline_seconds: int = PROGRESS_DEADLINE_SECONDS,
    protected: bool = True,
) -> list[Json]:
    """The children of one revision. `protected`: it may get requests, so its pods go one by one."""
    children: list[Json] = [
        build_deployment(
            owner=world.owner,
            snapshot=snapshot,
            replicas=replicas,
            progress_deadline_seconds=progress_deadline_seconds,
        ),
        build_revision_service(owner=world.owner, snapshot=snapshot),
    ]
    if protected:
        children.append(build_disruption_budget(owner=world.owner, revision=snapshot.revision))
    return children
