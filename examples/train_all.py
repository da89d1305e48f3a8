"""Train every example whose files are missing or older than its script (`make examples`).

Names as arguments train only those: `python examples/train_all.py penguins`.
"""

import os
import runpy
import sys
from pathlib import Path

# One thread: the sums of a fit are then added in one order, and the files come out the same.
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

MADE = ("model*", "rows.csv")


def is_fresh(script: Path) -> bool:
    """Tell whether what a script makes is there and not older than the script."""
    changed = script.stat().st_mtime
    made = [[path.stat().st_mtime for path in script.parent.glob(name)] for name in MADE]
    return all(times and min(times) >= changed for times in made)


def main(names: list[str]) -> int:
    """Train what is stale; 2 for a name that is no example."""
    scripts = {path.parent.name: path for path in sorted(Path(__file__).parent.glob("*/train.py"))}
    unknown = sorted(set(names) - set(scripts))
    if unknown:
        print(f"No example {unknown[0]!r}; there are {', '.join(scripts)}.", file=sys.stderr)
        return 2
    for name in names or scripts:
        if not is_fresh(scripts[name]):
            runpy.run_path(str(scripts[name]), run_name="__main__")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
