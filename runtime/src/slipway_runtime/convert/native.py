"""What only a model that is served natively needs: its own pace, measured on the original."""

import time

import numpy as np

from slipway_runtime.contract_of.reading import Table, row_count, take
from slipway_runtime.convert.original import Original
from slipway_runtime.convert.session import LATENCY_ROWS

_CALLS = 5


def measure_native(original: Original, rows: Table) -> dict[str, float]:
    """Median milliseconds of one call, by number of rows; empty when there are no rows."""
    total = row_count(rows)
    measured: dict[str, float] = {}
    for wanted in LATENCY_ROWS if total else ():
        batch = take(rows, np.arange(wanted) % total)
        original.ask(batch)
        taken = []
        for _ in range(_CALLS):
            start = time.perf_counter()
            original.ask(batch)
            taken.append(time.perf_counter() - start)
        measured[str(wanted)] = round(float(np.median(taken)) * 1000, 4)
    return measured
