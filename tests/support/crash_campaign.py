"""`make campaign-crash`: lead a life for every plan, and write what came of it.

Writes the table of docs/reliability.md. A plan that fails is told with its differences; the
command then ends with 1.
"""

import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import behaviour_models as models
from cluster_access import Cluster, find_cluster
from cluster_installation import Images, load_images, operator_config, start_registry
from cluster_models import model_of
from cluster_operator import install_account
from crash_life import NAME, Outcome, Scene, lead_life
from crash_plans import Luck, Oracle, Plan, list_plans
from store_servers import Store

SIDE_BY_SIDE = 3
_PAGE = Path(__file__).resolve().parents[2] / "docs/reliability.md"
_BEGIN, _END = "<!-- make campaign-crash: begin -->", "<!-- make campaign-crash: end -->"


@dataclass(frozen=True, kw_only=True)
class Result:
    """What came of a plan; `outcome` is None where the life did not get to its end."""

    plan: Plan
    outcome: Outcome | None
    differences: list[str]


def make_scene(cluster: Cluster, images: Images, registry: Store, folder: Path) -> Scene:
    """Two models in the registry, and the settings of operators that serve them."""
    first = model_of(registry, models.classifier(folder / "first.joblib"), "crash-first")
    flipped = models.classifier(folder / "second.joblib", flip=True)
    second = model_of(registry, flipped, "crash-second")
    for document in (first, second):
        document["metadata"]["name"] = NAME
    return Scene(cluster=cluster, config=operator_config(images), first=first, second=second)


def lead_references(scene: Scene) -> list[Outcome]:
    """Three lives without a fault, which show what varies by itself."""
    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        return list(pool.map(lambda _: lead_life(scene, _leave_alone), range(3)))


def _leave_alone(*_: object) -> None:
    """No harm."""


def _try_plan(scene: Scene, oracle: Oracle, plan: Plan) -> Result:
    try:
        outcome = lead_life(scene, plan.harm)
    except AssertionError as error:
        return Result(plan=plan, outcome=None, differences=[str(error)])
    return Result(plan=plan, outcome=outcome, differences=oracle.compare(outcome))


def _write_table(results: list[Result], references: list[Outcome], minutes: float) -> None:
    rows = [
        "| what happens at a write | plans | took place | end or counts differ | never there |",
        "|---|---|---|---|---|",
        *(_row(luck, [one for one in results if one.plan.luck is luck]) for luck in Luck),
        _row("all", results),
    ]
    writes = len(references[0].writes)
    longest = max(one.seconds for one in references)
    text = (
        f"{writes} writes in a life of {longest:.0f} s (the longest of {len(references)} without "
        f"a fault, {SIDE_BY_SIDE} side by side); {len(results)} plans in {minutes:.0f} min.\n\n"
        + "\n".join(rows)
    )
    before, _, rest = _PAGE.read_text().partition(_BEGIN)
    _PAGE.write_text(f"{before}{_BEGIN}\n{text}\n{_END}{rest.partition(_END)[2]}")


def _row(name: str, results: list[Result]) -> str:
    def count(holds: Callable[[Result], object]) -> int:
        return sum(1 for one in results if holds(one))

    cells = (
        name,
        len(results),
        count(lambda one: one.outcome is not None and one.outcome.struck),
        count(lambda one: one.outcome is not None and one.differences),
        count(lambda one: one.outcome is None),
    )
    return f"| {' | '.join(map(str, cells))} |"


def main() -> int:
    """Run all plans; 1 where one of them left something else."""
    began = time.monotonic()
    cluster = find_cluster()
    install_account(cluster)
    with tempfile.TemporaryDirectory() as folder:
        registry = start_registry(cluster)
        scene = make_scene(cluster, load_images(), registry, Path(folder))
        references = lead_references(scene)
        oracle = Oracle(references)
        print(f"Not compared, as it varies by itself: {', '.join(oracle.varying)}", flush=True)
        results = []
        with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
            plans = list_plans(references[0].writes)
            for result in pool.map(lambda plan: _try_plan(scene, oracle, plan), plans):
                results.append(result)
                told = "; ".join(result.differences) or "the same"
                print(f"{len(results)}/{len(plans)} {result.plan}: {told}", flush=True)
    _write_table(results, references, (time.monotonic() - began) / 60)
    return int(any(result.differences for result in results))


if __name__ == "__main__":
    sys.exit(main())
