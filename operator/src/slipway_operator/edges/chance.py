"""The only place that draws what nobody may guess; the core is handed it as a value."""

import os

from slipway_operator.resources.override import TOKEN_BYTES


def draw_token() -> str:
    """Hexadecimal digits, of the kernel's own randomness."""
    return os.urandom(TOKEN_BYTES).hex()
