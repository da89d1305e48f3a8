"""The operator has no right that it does not use. Last of all: it reads what the others did.

The audit log spans the cluster's life. It has no bodies, only who asked for what.
"""

import os

import pytest

from cluster_access import Cluster
from cluster_audit import Right, list_granted, read_used
from cluster_operator import SYSTEM
from rig.places import find_places
from slipway_operator.edges.kubernetes.permissions import PERMISSIONS

# One program under one table: beside the cluster, and as the chart installs it (`test_chart.py`),
# with the registry's credentials of each.
INSTALLATIONS = (SYSTEM, "slipway-chart")
NEEDED_UNSEEN: set[Right] = {
    # asked by an admission plug-in that this cluster does not run
    # (OwnerReferencesPermissionEnforcement), never by a request of its own
    ("update", "slipway.dev", "modeldeployments/finalizers"),
}
WRITERS = {"test_chart.py", "test_operator.py", "test_serving_troubles.py", "test_whole.py"}


def test_every_right_is_used(cluster: Cluster, request: pytest.FixtureRequest) -> None:
    used = read_used(find_places().audit, *INSTALLATIONS)
    unused = list_granted(PERMISSIONS) - used - NEEDED_UNSEEN
    # `make test-cluster` runs the writers in two goes
    ran = {item.path.name for item in request.session.items}
    all_ran = "SLIPWAY_TEST_RIGHTS" in os.environ or ran >= WRITERS
    if unused and not all_ran:
        pytest.skip(f"only `make test-cluster` uses every right; not seen: {sorted(unused)}")
    assert unused == set()


def test_no_planted_secret_is_in_a_request_line(cluster: Cluster) -> None:
    assert b"planted-" not in find_places().audit.read_bytes()
