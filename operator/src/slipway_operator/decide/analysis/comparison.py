"""How far two answers to the same request are apart.

A class is text, and two of them are the same or not. Numbers are apart by |Δ| / max(1, |y|), y
being the stable's. Where an answer names a class, the class decides: the probabilities behind it
move with every training.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Final

from slipway_operator.state.answers import Answer, Scalar, Value

_OK: Final = 200
_REFUSED: Final = 400
_FAILED: Final = 500
OTHERWISE: Final = math.inf  # apart by more than a number can say


def measure(stable: Answer, canary: Answer) -> tuple[float, ...] | None:
    """The distance of each row; one distance where rows cannot be compared.

    Two that failed alike agree. One that only the stable failed to answer tells nothing about the
    canary (None), and neither does one of which nothing was told.

    >>> yes = Answer(id="a", source="route", code=200, rows=1, outputs={"label": ("Yes",)})
    >>> no = Answer(id="a", source="mirror", code=200, rows=1, outputs={"label": ("No",)})
    >>> refused = Answer(id="a", source="mirror", code=422)
    >>> measure(yes, yes), measure(yes, no), measure(yes, refused), measure(refused, refused)
    ((0.0,), (inf,), (inf,), (0.0,))
    """
    if stable.code != canary.code:
        return None if stable.code >= _FAILED else (OTHERWISE,)
    if stable.code >= _REFUSED:
        return (0.0,)
    if not stable.outputs or not canary.outputs:
        return None
    if stable.rows != canary.rows:
        return (OTHERWISE,)
    return _measure_outputs(stable.outputs, canary.outputs) or None


def measure_numbers(stable: Answer, canary: Answer, row: int) -> float:
    """How far the numbers of a row are apart, whatever decides: of two answers with other classes,
    which one is the worse. 0 where there are none.

    >>> yes = Answer(id="a", source="route", code=200, outputs={"l": ("y",), "p": ((0.9, 0.1),)})
    >>> no = Answer(id="a", source="mirror", code=200, outputs={"l": ("n",), "p": ((0.4, 0.6),)})
    >>> measure_numbers(yes, no, 0)
    0.5
    """
    pairs = (
        (theirs[row], ours[row])
        for name, theirs in stable.outputs.items()
        if row < min(len(theirs), len(ours := canary.outputs.get(name, ())))
    )
    distances = (_distance(theirs, ours) for theirs, ours in pairs)
    return max((one for one in distances if one < OTHERWISE), default=0.0)


def _measure_outputs(
    stable: Mapping[str, tuple[Value, ...]], canary: Mapping[str, tuple[Value, ...]]
) -> tuple[float, ...]:
    theirs, ours = _find_deciding(stable), _find_deciding(canary)
    if theirs.keys() == ours.keys():
        pairs = [(theirs[name], ours[name]) for name in theirs]
    elif len(theirs) == len(ours):  # called otherwise: in the models' order
        pairs = list(zip(theirs.values(), ours.values(), strict=True))
    else:
        return (OTHERWISE,)
    # One of the two may have been cut to fewer rows.
    rows = min(len(column) for pair in pairs for column in pair)
    return tuple(
        max(_distance(theirs[row], ours[row]) for theirs, ours in pairs) for row in range(rows)
    )


def _find_deciding(
    outputs: Mapping[str, tuple[Value, ...]],
) -> Mapping[str, tuple[Value, ...]]:
    """The outputs that are text, and without any, all."""
    texts = {name: column for name, column in outputs.items() if _is_text(column)}
    return texts or outputs


def _is_text(column: Sequence[Value]) -> bool:
    firsts = (value[:1] if isinstance(value, tuple) else (value,) for value in column)
    return any(isinstance(one, str) for first in firsts for one in first)


def _distance(stable: Value, canary: Value) -> float:
    theirs = stable if isinstance(stable, tuple) else (stable,)
    ours = canary if isinstance(canary, tuple) else (canary,)
    if len(theirs) != len(ours):
        return OTHERWISE
    return max((_apart(a, b) for a, b in zip(theirs, ours, strict=True)), default=0.0)


def _apart(stable: Scalar, canary: Scalar) -> float:
    if stable == canary:
        return 0.0
    if isinstance(stable, str | None) or isinstance(canary, str | None):
        return OTHERWISE
    try:
        return abs(canary - stable) / max(1.0, abs(stable))
    except OverflowError:  # a whole number beyond all floats
        return OTHERWISE
