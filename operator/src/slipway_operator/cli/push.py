"""`slipway push`: a model file into an OCI registry, and the address to put into the YAML."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class PushFormat(StrEnum):
    """What `-o` may say."""

    JSON = "json"
    NAME = "name"


def push(
    *,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The model file.")],
    uri: Annotated[
        str, typer.Argument(metavar="oci://HOST/REPOSITORY[:TAG]", help="Where; tag latest.")
    ],
    samples: Annotated[
        Path | None,
        typer.Option("--samples", help="Rows like the training rows, to lie beside the model."),
    ] = None,
    username_env: Annotated[
        str | None, typer.Option("--username-env", help="Variable that holds the user name.")
    ] = None,
    password_env: Annotated[
        str | None, typer.Option("--password-env", help="Variable that holds the password.")
    ] = None,
    token_env: Annotated[
        str | None,
        typer.Option("--token-env", help="Variable that holds a token, instead of both."),
    ] = None,
    output: Annotated[
        PushFormat | None,
        typer.Option("-o", "--output", help="Output format.", show_default="YAML to paste"),
    ] = None,
) -> None:
    """Put a model file into an OCI registry; logs in as docker does, if no variable is named."""
    from slipway_operator.cli.errors import USAGE, CliError
    from slipway_operator.cli.runtime_push import push_files
    from slipway_operator.cli.screen import print_json, standard_error, standard_output

    if (username_env is None) != (password_env is None) or (token_env and username_env):
        raise CliError(
            "Cannot log in: --username-env and --password-env go together, and --token-env goes "
            "alone.",
            code=USAGE,
        )
    pushed = push_files(
        file,
        uri,
        samples=samples,
        login={"username": username_env, "password": password_env, "token": token_env},
        console=standard_error(),
    )
    console, address = standard_output(), pushed["uri"]
    if output is PushFormat.JSON:
        print_json(pushed)
    elif output is PushFormat.NAME:
        console.print(address)
    else:
        console.print("spec:\n  model:")
        console.print(f"    uri: {address}")
        if samples is not None:
            console.print(f"    samples: {{uri: {address}}}")
