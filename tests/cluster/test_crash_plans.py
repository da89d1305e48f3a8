"""The operator is killed around its writes: what it leaves is what it would have left anyway.

Some of the plans of `make campaign-crash`, spread over a life that is shorter by the change of
the model.
"""

import dataclasses
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from cluster_access import Cluster
from cluster_installation import Images
from crash_campaign import SIDE_BY_SIDE, lead_references, make_scene
from crash_life import lead_life
from crash_plans import Oracle, list_plans, sample_plans
from store_servers import Store

PLANS = 6


def test_killed_around_its_writes_it_leaves_the_same(
    cluster: Cluster, images: Images, registry: Store, tmp_path: Path
) -> None:
    scene = make_scene(cluster, images, registry, tmp_path)
    scene = dataclasses.replace(scene, second=None)
    references = lead_references(scene)
    oracle = Oracle(references)
    assert oracle.compare(references[1]) == []
    plans = sample_plans(list_plans(references[0].writes), PLANS)
    assert len(set(plans)) == PLANS
    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        outcomes = list(pool.map(lambda plan: lead_life(scene, plan.harm), plans))
    assert [str(plan) for plan, one in zip(plans, outcomes, strict=True) if not one.struck] == []
    told = [
        f"{plan}: {line}"
        for plan, one in zip(plans, outcomes, strict=True)
        for line in oracle.compare(one)
    ]
    assert "\n".join(told) == ""
