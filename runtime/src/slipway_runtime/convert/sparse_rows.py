"""Tells whether a pipeline hands its booster sparse rows: XGBoost takes their zeros for missing."""

import warnings
from typing import Any

from slipway_runtime.boosters.forest import NotRead
from slipway_runtime.boosters.known import framework_of
from slipway_runtime.contract_of.reading import take
from slipway_runtime.convert.original import Original
from slipway_runtime.parity.probes import CALM_ROWS, make_probes


def hides_zeros(original: Original) -> bool:
    """Whether zeros never reach the booster: XGBoost behind a step that gives a sparse matrix.

    Raises:
        NotRead: the steps before the booster answer none of the rows that could be made.
    """
    model: Any = original.model
    steps = getattr(model, "steps", None)
    if not steps or len(steps) < 2 or framework_of(steps[-1][1]) != "xgboost":
        return False
    rows = take(make_probes(original.reading), slice(0, CALM_ROWS))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            prepared = model[:-1].transform(original.feed(rows))
        except Exception as error:  # an edge: the model's own code runs and may raise anything
            raise NotRead(f"steps before XGBoost that answer no made-up row ({error})") from error
    return hasattr(prepared, "toarray")
