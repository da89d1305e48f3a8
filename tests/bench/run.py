"""Run every bench, one after another, and print one table; docs/benchmarks.md holds a run."""

import os
import platform

import first_answer
from table import render


def main() -> None:
    """Print the machine, then the table of the time to the first answer.

    Throughput is measured by a script of its own beside it (`serving_throughput.py`), since it
    starts its peers in environments of their own.
    """
    print(f"{platform.machine()}, {os.cpu_count()} cores, CPython {platform.python_version()}\n")
    print(render(first_answer.measure()))


if __name__ == "__main__":
    main()
