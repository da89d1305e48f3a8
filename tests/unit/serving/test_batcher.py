"""Requests that arrive together run together, and each gets what it would get alone."""

import asyncio
from typing import Any

import numpy as np
import pytest

from slipway_runtime.serving.batcher import Batcher, is_row_by_row
from slipway_runtime.serving.core.faults import RequestFault
from slipway_runtime.serving.metrics import Metrics

Tensors = dict[str, Any]


class Doubling:
    """Doubles; refuses a NaN; remembers the sizes of its batches."""

    def __init__(self) -> None:
        self.sizes: list[int] = []

    def run(self, tensors: Tensors) -> list[Any]:
        given = tensors["x"]
        self.sizes.append(len(given))
        if np.isnan(given).any():
            raise RequestFault("InferenceFailed", "No.")
        return [given[:, 0] * 2, given]

    def close(self) -> None:
        """Nothing is held."""


def row(*values: float) -> Tensors:
    return {"x": np.array([[value] for value in values], np.float32)}


def ask(*requests: Tensors, max_rows: int = 4) -> tuple[Doubling, Metrics, list[Any]]:
    """Ask everything in one turn of the loop; returns the answers or the faults."""
    session, metrics = Doubling(), Metrics(model="m", revision="r")
    batcher = Batcher(session, metrics, max_rows=max_rows)

    async def main() -> list[Any]:
        asked = [batcher.run(tensors, len(tensors["x"])) for tensors in requests]
        return await asyncio.gather(*asked, return_exceptions=True)

    return session, metrics, asyncio.run(main())


def test_one_turn_is_one_run_and_everyone_gets_its_own_rows() -> None:
    session, metrics, answers = ask(row(1), row(2, 3), row(4))
    assert session.sizes == [4]
    assert [answer[0].tolist() for answer in answers] == [[2], [4, 6], [8]]
    assert [answer[1].shape for answer in answers] == [(1, 1), (2, 1), (1, 1)]
    assert (metrics.stage_count["queue"], metrics.stage_count["inference"]) == (3, 3)


def test_a_batch_is_never_larger_than_its_limit_but_for_a_single_request() -> None:
    session, _, answers = ask(row(1), row(2, 3, 4), row(5), row(1, 2, 3, 4, 5, 6), row(7))
    assert session.sizes == [4, 1, 6, 1]
    assert [len(answer[0]) for answer in answers] == [1, 3, 1, 6, 1]


def test_a_request_that_the_model_refuses_spoils_no_other() -> None:
    session, _, answers = ask(row(1), row(np.nan), row(3))
    assert session.sizes == [3, 1, 1, 1]
    assert answers[0][0].tolist() == [2]
    assert isinstance(answers[1], RequestFault)
    assert answers[2][0].tolist() == [6]


def test_a_request_whose_caller_has_gone_is_not_run() -> None:
    session = Doubling()
    batcher = Batcher(session, Metrics(model="m", revision="r"), max_rows=4)

    async def main() -> Any:
        gone, stays = batcher.run(row(1), 1), batcher.run(row(2), 1)
        gone.cancel()
        return await stays

    assert asyncio.run(main())[0].tolist() == [4]
    assert session.sizes == [1]


class Model:
    """Answers with whatever function it is given."""

    def __init__(self, answer: Any) -> None:
        self._answer = answer

    def run(self, tensors: Tensors) -> list[Any]:
        return [np.asarray(self._answer(tensors["x"]))]

    def close(self) -> None:
        """Nothing is held."""


def only_one(given: Any) -> Any:
    if len(given) > 1:
        raise RequestFault("InferenceFailed", "One row only.")
    return given


MODELS: dict[str, tuple[Any, bool]] = {
    "row by row": (lambda x: x * 2, True),
    "the last bit differs": (lambda x: x * np.float32(1 + (len(x) > 1) * 1e-7), True),
    "texts": (lambda x: np.array([str(v) for v in x[:, 0]], object), True),
    "a missing value": (lambda x: x * np.nan, True),
    "looks at other rows": (lambda x: x - x.mean(), False),
    "one answer for all": (lambda x: x.sum(keepdims=True), False),
    "another label in company": (lambda x: np.full(len(x), len(x) > 3), False),
    "a single number": (lambda x: x.sum(), False),
    "one row only": (only_one, False),
}


@pytest.mark.parametrize(("answer", "wanted"), MODELS.values(), ids=MODELS.keys())
def test_only_a_model_that_answers_row_by_row_is_run_in_company(answer: Any, wanted: bool) -> None:
    rows = [row(value) for value in (1.0, 2.0, 4.0)]
    assert is_row_by_row(Model(answer), rows, max_rows=5) is wanted


def test_without_rows_to_try_nothing_is_known() -> None:
    assert not is_row_by_row(Model(lambda x: x), [], max_rows=5)
