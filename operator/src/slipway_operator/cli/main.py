"""Entry points: `slipway` and the kubectl plugin. Every failure becomes a sentence and a code."""

import errno
import os
import sys
import tempfile
import traceback
from pathlib import Path
from typing import NoReturn

import typer

from slipway_operator.cli import (
    apply,
    delete,
    describe,
    diff,
    down,
    get,
    history,
    kubeconfig,
    logs,
    model_file,
    predict,
    push,
    rollout,
    up,
    version,
)
from slipway_operator.cli.errors import FAILED, INTERRUPTED, CliError

_CANNOT_WRITE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EBADF})
EPILOGUE = (
    "Exit codes: 0 done, 1 failed, 2 wrong usage, 3 not found, 4 timed out, 130 interrupted, "
    "141 nobody reads the output. Talks to the engine on this machine, or to a cluster with "
    "--context, --kubeconfig or SLIPWAY_TARGET=cluster."
)


def make_app(*, laptop: bool) -> typer.Typer:
    """All verbs; the kubectl plugin has no engine to start or stop."""
    app = typer.Typer(
        name="slipway",
        help="Launch a trained model: converted, proven, served.",
        epilog=EPILOGUE,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    if laptop:
        app.command()(up.up)
        app.command()(down.down)
        app.command()(kubeconfig.kubeconfig)
    app.command()(apply.apply)
    app.command()(get.get)
    app.command()(describe.describe)
    for verb in rollout.VERBS:
        app.command()(verb)
    app.command()(diff.diff)
    app.command()(history.history)
    app.command()(delete.delete)
    app.command()(logs.logs)
    app.command()(predict.predict)
    app.command()(model_file.convert)
    app.command()(model_file.check)
    app.command()(push.push)
    app.command()(version.version)
    return app


def main() -> NoReturn:
    """`slipway`."""
    sys.exit(run(make_app(laptop=True), "slipway"))


def main_kubectl() -> NoReturn:
    """`kubectl slipway`: always the cluster."""
    os.environ["SLIPWAY_TARGET"] = "cluster"
    sys.exit(run(make_app(laptop=False), "kubectl slipway"))


def run(app: typer.Typer, program: str, arguments: list[str] | None = None) -> int:
    """Run one command and give its exit code. Nothing but a code and words leaves it."""
    try:
        app(args=arguments, prog_name=program)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except CliError as error:
        _say(error.message, error.todo)
        return error.code
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as error:  # the edge of the process: a bug becomes a log file
        if isinstance(error, OSError) and error.errno in _CANNOT_WRITE:
            _say(f"Cannot write the output: {error.strerror}.", None)
            return FAILED
        return _report_bug(error)
    return 0


def _report_bug(error: Exception) -> int:
    path = Path(tempfile.gettempdir()) / f"slipway-bug-{os.getuid()}.log"
    words = f"{' '.join(sys.argv)}\n{''.join(traceback.format_exception(error))}\n"
    try:
        with path.open("a") as log:
            log.write(words)
        where = f"Please report it with the details in {path}."
    except OSError:
        where = "Please report it."
    _say(f"this is a bug in slipway ({type(error).__name__}).", where)
    return FAILED


def _say(message: str, todo: str | None) -> None:
    from slipway_operator.cli.screen import print_error, standard_error

    print_error(standard_error(), message, todo)
