"""Healthy canaries go through, bad ones are stopped soon: some of `make simulate-rollouts`."""

import numpy as np
import pytest

from rollout_simulation import FALSE_ABORT, SCENARIOS, Scenario, run_slipway, simulate

RUNS = 40


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda one: f"{one.per_second}/s, {one.name}")
def test_it_is_judged_rightly(scenario: Scenario) -> None:
    ends = run_slipway(simulate(scenario, RUNS, np.random.default_rng(1)))
    stopped = [one.stopped for one in ends if one.stopped is not None]
    if scenario.is_healthy:
        assert len(stopped) <= max(1, FALSE_ABORT * RUNS)
        assert sum(one.passed is not None for one in ends) > 0.2 * RUNS
    else:
        assert len(stopped) == RUNS
        assert np.median(stopped) <= 400
        assert sum(one.passed is not None for one in ends) <= 0.05 * RUNS
