"""The Python that a built model is opened with: the runtime's own, or its environment's."""

import time
from pathlib import Path

from slipway_runtime.artifact.manifest import Environment
from slipway_runtime.environment.make import keep_environment, running_python
from slipway_runtime.errors import BuildError
from slipway_runtime.sandbox import HERE, Interpreter


def open_environment(
    environment: Environment | None, *, folder: Path, seconds: float = 600
) -> Interpreter:
    """The interpreter to open a model with, made anew from its versions where it is not there.

    Raises:
        BuildError: as `prepare_environment`; also where it was made by another Python.
    """
    if environment is None:
        return HERE
    if environment.python != running_python():
        raise BuildError(
            "TrainingEnvironmentUnavailable",
            f"Cannot make the training environment: it is one of Python {environment.python}, "
            f"this is Python {running_python()}; build the model again.",
        )
    deadline = time.monotonic() + seconds
    return keep_environment(environment.packages, folder=folder, deadline=deadline)
