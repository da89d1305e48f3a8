"""Kubernetes quantities (`250m`, `512Mi`, `1.5`) as exact numbers."""

from decimal import Decimal
from typing import Final

_FACTORS: Final = {
    "m": Decimal("0.001"),
    "k": Decimal(10**3),
    "M": Decimal(10**6),
    "G": Decimal(10**9),
    "T": Decimal(10**12),
    "P": Decimal(10**15),
    "E": Decimal(10**18),
    "Ki": Decimal(2**10),
    "Mi": Decimal(2**20),
    "Gi": Decimal(2**30),
    "Ti": Decimal(2**40),
    "Pi": Decimal(2**50),
    "Ei": Decimal(2**60),
}


def read_quantity(amount: int | str) -> Decimal:
    """The amount in its base unit (cores, bytes): `read_quantity("250m") == Decimal("0.25")`.

    Takes what the schema takes (a whole number, or `vocabulary.QUANTITY`); raises
    decimal.InvalidOperation for anything else.
    """
    text = str(amount)
    number = text.rstrip("".join({*"".join(_FACTORS)}))
    return Decimal(number) * _FACTORS.get(text[len(number) :], Decimal(1))
