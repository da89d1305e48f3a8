"""`slipway down`: stop the laptop engine and every process it started."""

from typing import Annotated

import typer

from slipway_operator.cli.options import Data


def down(
    *,
    purge: Annotated[
        bool, typer.Option("--purge", help="Also remove the objects and the built models.")
    ] = False,
    data: Data = None,
) -> None:
    """Stop the engine on this machine. The objects are kept: `up` goes on where it was."""
    from slipway_operator.cli.errors import CliError
    from slipway_operator.cli.screen import standard_output
    from slipway_operator.local.datafolder import resolve_data_folder
    from slipway_operator.local.errors import EngineRefused
    from slipway_operator.local.launch import stop_engine

    try:
        stopped = stop_engine(resolve_data_folder(data), purge=purge)
    except EngineRefused as error:
        raise CliError(str(error)) from error
    console = standard_output()
    console.print("The engine is stopped." if stopped else "No engine was running.")
    if purge:
        console.print("Objects and built models are removed.")
