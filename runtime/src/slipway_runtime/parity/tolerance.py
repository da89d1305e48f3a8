"""How far a converted model may be from the original, by kind of output."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from slipway_runtime.artifact.manifest import Role, Tolerance

ABSOLUTE = 1e-4
RELATIVE = 1e-3
LABEL_FLIPS = 0


def tolerance_for(role: Role, original: NDArray[Any]) -> Tolerance:
    """Choose the tolerance for an output.

    |converted - original| <= absolute + relative · |original|, with relative 1e-3. Probabilities
    lie in [0, 1], so absolute is 1e-4. Anything else has a scale of its own: absolute is 1e-4 times
    the median size of the original's answers, so that small numbers are held as strictly as large
    ones. Labels must be equal, all of them.

    Example: answers [100, 200, 300] → absolute 0.02.
    """
    if role in ("Label", "Probabilities"):
        return Tolerance(absolute=ABSOLUTE, relative=RELATIVE, label_flips=LABEL_FLIPS)
    sizes = np.abs(original[np.isfinite(original) & (original != 0)])
    scale = float(np.median(sizes)) if sizes.size else 1.0
    return Tolerance(absolute=ABSOLUTE * scale, relative=RELATIVE, label_flips=LABEL_FLIPS)
