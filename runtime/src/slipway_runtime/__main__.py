"""`slipway-runtime`: the steps of a build and the model server, one process each.

Imports late: a step loads what it needs and nothing else (docs/wire.md tells what each one reads).
"""

import argparse
import os
import sys
from collections.abc import Sequence

# Libraries that would report their use to somebody; what a model is and does stays here.
_SILENCED = {"ORT_DISABLE_TELEMETRY": "1", "BENTOML_DO_NOT_TRACK": "True", "DO_NOT_TRACK": "1"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb; the exit code is 0 done, 1 not done (and reported), 2 wrong usage."""
    os.environ.update(_SILENCED)
    asked = _parser().parse_args(arguments)
    match asked.verb:
        case "fetch":
            from slipway_runtime.steps.edge import run_step
            from slipway_runtime.steps.fetch import fetch

            return run_step("fetch", fetch)
        case "convert":
            from slipway_runtime.steps.convert import convert
            from slipway_runtime.steps.edge import run_step

            return run_step("convert", convert)
        case "publish":
            from slipway_runtime.steps.edge import run_step
            from slipway_runtime.steps.publish import publish

            return run_step("publish", publish)
        case "pull":
            from slipway_runtime.steps.pull import run_pull

            return run_pull()
        case "serve":
            from slipway_runtime.serving.main import run as serve

            return serve()
        case "check":
            from slipway_runtime.steps.check import run_check

            return run_check(asked)
        case "push":
            from slipway_runtime.steps.push import run_push

            return run_push(asked)
        case _:
            from importlib.metadata import version

            sys.stdout.write(f"slipway-runtime {version('slipway-runtime')}\n")
            return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="slipway-runtime", description="The data side of Slipway, one process a verb."
    )
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    for name, help_text in (
        ("fetch", "build step: download the model and its samples"),
        ("convert", "build step: read, convert and prove the model, shut in"),
        ("publish", "build step: check again, pack, put into the artifact store"),
        ("pull", "put a built model into the folder that serve reads"),
        ("serve", "serve a built model"),
        ("version", "print the version"),
    ):
        verbs.add_parser(name, help=help_text)
    check = verbs.add_parser("check", help="tell what a model file is and whether it converts")
    check.add_argument("file", metavar="FILE")
    check.add_argument("--samples", metavar="FILE", help="rows like the training rows")
    check.add_argument("--to", metavar="FOLDER", help="keep the converted model there")
    check.add_argument("--format", default="Auto")
    check.add_argument("--runtime", default="Auto", choices=("Auto", "ONNX", "Native"))
    check.add_argument("--unpickle", default="Sandboxed", choices=("Sandboxed", "Never"))
    check.add_argument("-o", "--output", default="json", choices=("json",))
    push = verbs.add_parser("push", help="put a model file into an OCI registry")
    push.add_argument("file", metavar="FILE")
    push.add_argument("uri", metavar="oci://HOST/REPOSITORY[:TAG]")
    push.add_argument("--samples", metavar="FILE", help="rows like the training rows")
    for what in ("username", "password", "token"):
        push.add_argument(f"--{what}-env", metavar="NAME", help=f"variable that holds the {what}")
    return parser


if __name__ == "__main__":
    sys.exit(main())
