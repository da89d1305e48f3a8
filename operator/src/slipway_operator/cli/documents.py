"""What `-f` names, as documents: files, folders, standard input; several documents in each.

A `file:` URI is relative to the folder of the file that holds it (for standard input: to the
current folder) and is made absolute here, before anything is applied.
"""

import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from slipway_operator.api.yaml_reading import read_documents
from slipway_operator.cli.errors import USAGE, CliError
from slipway_operator.cli.kinds import MODEL_DEPLOYMENT, SECRET, Kind

SUFFIXES = frozenset({".yaml", ".yml", ".json"})
STANDARD_INPUT = "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One object to apply, and where it stands (`penguins.yaml`, `standard input`)."""

    kind: Kind
    name: str
    namespace: str
    body: dict[str, Any]
    source: str


def gather_documents(names: Sequence[str], *, namespace: str | None) -> list[Document]:
    """Every document of every file, in order; CliError (usage) for the first that is unfit."""
    found = [
        document
        for name in names
        for source, folder, text in _texts(name)
        for document in _documents(text, source, folder, namespace)
    ]
    if not found:
        where = ", ".join("standard input" if name == STANDARD_INPUT else name for name in names)
        raise CliError(f"No document in {where}.", code=USAGE)
    return found


def make_absolute(uri: object, folder: Path) -> object:
    """`file:model.joblib` → `file:/where/the/yaml/is/model.joblib`; anything else unchanged."""
    if not isinstance(uri, str) or not uri.startswith("file:"):
        return uri
    path = uri.removeprefix("file:")
    if path.startswith("/"):
        return uri
    return "file:" + os.path.normpath(f"{quote(str(folder))}/{path}")


def _texts(name: str) -> Iterator[tuple[str, Path, str]]:
    if name == STANDARD_INPUT:
        yield "standard input", Path.cwd(), sys.stdin.read()
        return
    path = Path(name)
    if path.is_dir():
        files = sorted(each for each in path.iterdir() if each.suffix in SUFFIXES)
        if not files:
            raise CliError(f'Folder "{name}" holds no .yaml, .yml or .json file.', code=USAGE)
    else:
        files = [path]
    for file in files:
        try:
            yield str(file), file.absolute().parent, file.read_text()
        except FileNotFoundError as error:
            raise CliError(
                f'Cannot read file "{file}": there is no such file.',
                todo="Check the path after -f; it is relative to the current folder.",
                code=USAGE,
            ) from error
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is not text"
            raise CliError(f'Cannot read file "{file}": {why}.', code=USAGE) from error


def _documents(text: str, source: str, folder: Path, namespace: str | None) -> Iterator[Document]:
    reading = read_documents(text)
    if reading.errors:
        lines = [f"  {error.message}" for error in reading.errors]
        raise CliError(
            "\n".join([f"Cannot read {source}:", *lines]),
            todo="Correct the text; nothing of it was applied.",
        )
    for document in reading.documents:
        yield _place(document.body, source, folder, namespace)


def _place(body: dict[str, Any], source: str, folder: Path, namespace: str | None) -> Document:
    kind = SECRET if body["kind"] == SECRET.name else MODEL_DEPLOYMENT
    meta = body.get("metadata")
    name = meta.get("name") if isinstance(meta, dict) else None
    if not isinstance(meta, dict) or not isinstance(name, str) or not name:
        raise CliError(
            f"{source}: a {kind.name} has no metadata.name that is a text.",
            todo="Give it a name of lower-case letters, digits and dashes, in quotes if need be.",
        )
    stated = meta.get("namespace")
    if stated is not None and namespace is not None and stated != namespace:
        raise CliError(
            f'{source}: {kind.name} "{name}" is in namespace "{stated}", not "{namespace}".',
            todo="Leave out -n or metadata.namespace.",
            code=USAGE,
        )
    chosen = str(stated or namespace or "default")
    body["metadata"]["namespace"] = chosen
    if kind is MODEL_DEPLOYMENT:
        _anchor(body, folder)
    return Document(kind=kind, name=name, namespace=chosen, body=body, source=source)


def _anchor(body: dict[str, Any], folder: Path) -> None:
    spec = body.get("spec")
    model = spec.get("model") if isinstance(spec, dict) else None
    if not isinstance(model, dict):
        return
    for part in (model, model.get("samples")):
        if isinstance(part, dict) and "uri" in part:
            part["uri"] = make_absolute(part["uri"], folder)
