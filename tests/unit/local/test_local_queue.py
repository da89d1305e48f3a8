"""The work queue: de-duplicated, one worker a key, back-off."""

import asyncio

import pytest

from slipway_operator.edges.queue import Backoff, KeyedLoop


@pytest.mark.parametrize(
    ("failures", "seconds"),
    [
        pytest.param(1, 1.0, id="first"),
        pytest.param(2, 2.0, id="second"),
        pytest.param(9, 256.0, id="ninth"),
        pytest.param(10, 300.0, id="capped"),
        pytest.param(10_000, 300.0, id="no-overflow"),
    ],
)
def test_back_off_doubles_up_to_the_cap(failures: int, seconds: float) -> None:
    assert Backoff().compute_ceiling(failures) == seconds


def test_wakes_before_the_turn_are_one_run() -> None:
    async def scenario() -> int:
        runs = 0

        async def handler(_: str) -> None:
            nonlocal runs
            runs += 1

        loop = KeyedLoop(name="t", handler=handler)
        for _ in range(10):
            loop.wake("a")
        for _ in range(3):
            await asyncio.sleep(0)
        await loop.close()
        return runs

    assert asyncio.run(scenario()) == 1


def test_a_wake_during_the_run_runs_once_more_and_never_beside_it() -> None:
    async def scenario() -> list[str]:
        story: list[str] = []
        gate = asyncio.Event()
        done = asyncio.Event()

        async def handler(_: str) -> None:
            story.append("begin")
            await gate.wait()
            story.append("end")
            if len(story) == 4:
                done.set()

        loop = KeyedLoop(name="t", handler=handler)
        loop.wake("a")
        for _ in range(3):
            await asyncio.sleep(0)
        loop.wake("a")
        loop.wake("a")
        for _ in range(3):
            await asyncio.sleep(0)
        gate.set()
        await asyncio.wait_for(done.wait(), 10)
        await loop.close()
        return story

    assert asyncio.run(scenario()) == ["begin", "end", "begin", "end"]


def test_a_failure_is_told_and_tried_again() -> None:
    async def scenario() -> tuple[int, list[str]]:
        runs = 0
        told: list[str] = []
        done = asyncio.Event()

        async def handler(_: str) -> None:
            nonlocal runs
            runs += 1
            if runs < 3:
                raise RuntimeError("no")
            done.set()

        loop = KeyedLoop(
            name="t",
            handler=handler,
            backoff=Backoff(first_seconds=0.001, cap_seconds=0.001),
            on_failure=lambda key, error: told.append(f"{key} {error}"),
        )
        loop.wake("a")
        await asyncio.wait_for(done.wait(), 10)
        await loop.close()
        return runs, told

    assert asyncio.run(scenario()) == (3, ["a no", "a no"])
