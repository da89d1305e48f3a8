"""The PodDisruptionBudget of a revision that gets requests: one pod may go at a time."""

from typing import Any

from slipway_operator.state.identity import ChildKind, Component, Owner


def build_disruption_budget(*, owner: Owner, revision: str) -> dict[str, Any]:
    """The PodDisruptionBudget `NAME-rHASH10`. A pod that is not ready never blocks a drain."""
    return {
        "apiVersion": ChildKind.DISRUPTION_BUDGET.api_version,
        "kind": ChildKind.DISRUPTION_BUDGET.value,
        "metadata": owner.metadata(
            name=owner.revision_name(revision),
            labels=owner.labels(revision=revision, component=Component.SERVE),
        ),
        "spec": {
            "maxUnavailable": 1,
            "unhealthyPodEvictionPolicy": "AlwaysAllow",
            "selector": {"matchLabels": owner.revision_selector(revision)},
        },
    }
