"""What a plain YAML scalar means, by the rules that kubectl reads YAML with.

These are YAML 1.1 as Go's yaml.v2 has it: `on` and `NO` are booleans, `012` is octal, `1_000` and
`1e-3` are numbers, dates stay text, base 60 does not exist. Python's own reader differs in several.
"""

import math
import re
from typing import Final

Scalar = str | int | float | bool | None

MERGE: Final = "<<"
DIGITS_LIMIT: Final = 400

_WORDS: Final[dict[str, Scalar]] = {
    **dict.fromkeys(
        ("y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"), True
    ),
    **dict.fromkeys(
        ("n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"), False
    ),
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), math.inf),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), -math.inf),
}
_INTEGER: Final = re.compile(
    r"([-+]?)(?:0[xX]([0-9a-fA-F]+)|0[bB]([01]+)|0[oO]([0-7]+)|0([0-7]+)|(0|[1-9][0-9]*))"
)
_BASES: Final = (16, 2, 8, 8, 10)
_FLOAT: Final = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")


def read_scalar(text: str) -> Scalar:
    """The value of an unquoted scalar: `read_scalar("012") == 10`, `read_scalar("NO") is False`."""
    if text in _WORDS:
        return _WORDS[text]
    if not text[0].isdigit() and text[0] not in "+-.":
        return text
    plain = text if text[0] == "." else text.replace("_", "")
    if len(plain) > DIGITS_LIMIT:
        return text
    if integer := _INTEGER.fullmatch(plain):
        sign, *digits = integer.groups()
        number = next(
            int(part, base) for part, base in zip(digits, _BASES, strict=True) if part is not None
        )
        return -number if sign == "-" else number
    if _FLOAT.fullmatch(plain) and math.isfinite(value := float(plain)):
        return value
    return text
