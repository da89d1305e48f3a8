"""The process in which BentoML builds one Bento: a plan on stdin, the Bento's folder on stdout."""

import contextlib
import sys

import bentoml
import msgspec

from slipway_runtime.bento.package import BuildPlan

_DESCRIPTION = """\
A model that Slipway converted and proved. Run it with `bentoml serve .` here; it needs the
packages of env/python/requirements.txt. `POST /predict` takes {"rows": [{"column": value}]};
src/manifest.json tells the columns, the proof and where the model came from.
"""


def main() -> int:
    """Build; BentoML's own chatter goes to stderr."""
    plan = msgspec.json.decode(sys.stdin.buffer.read(), type=BuildPlan)
    with contextlib.redirect_stdout(sys.stderr):
        bento = bentoml.build(
            "service:model",
            name=plan.name,
            version=plan.version,
            labels=plan.labels,
            description=_DESCRIPTION,
            build_ctx=plan.context,
            include=["**"],
            python={"packages": plan.packages, "lock_packages": False},
        )
    sys.stdout.write(f"{bento.path}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
