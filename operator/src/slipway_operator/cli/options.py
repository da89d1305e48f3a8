"""The options that several verbs share, declared once."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Output(StrEnum):
    """What `-o` may say."""

    JSON = "json"
    YAML = "yaml"
    WIDE = "wide"
    NAME = "name"


class DocumentFormat(StrEnum):
    """What `-o` may say where there is one table and nothing to name."""

    JSON = "json"
    YAML = "yaml"


Data = Annotated[
    Path | None,
    typer.Option(
        "--data",
        envvar="SLIPWAY_DATA",
        help="Folder of the laptop engine.",
        show_default="~/.local/share/slipway",
    ),
]
Context = Annotated[
    str | None, typer.Option("--context", help="Talk to the cluster of this kubeconfig context.")
]
Kubeconfig = Annotated[
    Path | None, typer.Option("--kubeconfig", help="Talk to the cluster of this kubeconfig file.")
]
Namespace = Annotated[
    str | None, typer.Option("-n", "--namespace", help="Namespace.", show_default="default")
]
AllNamespaces = Annotated[bool, typer.Option("-A", "--all-namespaces", help="All namespaces.")]
OutputFormat = Annotated[
    Output | None, typer.Option("-o", "--output", help="Output format.", show_default="a table")
]
Files = Annotated[
    list[str],
    typer.Option("-f", "--filename", help="YAML or JSON file, folder, or - for standard input."),
]
Timeout = Annotated[
    float, typer.Option("--timeout", help="Give up waiting after so many seconds.", min=0.1)
]
KindOrName = Annotated[
    str | None,
    typer.Argument(metavar="KIND[/NAME]", help="Kind or name; modeldeployment if left out."),
]
Name = Annotated[str | None, typer.Argument(metavar="NAME", help="Name of the object.")]
