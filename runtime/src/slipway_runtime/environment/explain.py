"""Why uv could not make an environment, as one sentence with a reason."""

import re
import sys

from slipway_runtime.errors import BuildError

_UNREACHABLE = re.compile(
    r"error sending request|Failed to fetch|dns error|Could not connect|Connection refused"
    r"|timed out|HTTP status (?:server error|client error \(429)|network connectivity is disabled"
    r"|not found in the cache|network was disabled",
    re.IGNORECASE,
)
_FULL = re.compile(r"No space left on device|os error 28|Disk quota exceeded", re.IGNORECASE)
_BECAUSE = re.compile(r"Because (.*?)(?:, we can conclude|\.\s|$)", re.DOTALL)
_NO_WHEEL = re.compile(r"no wheels with a matching|no usable wheels|no wheels|building .* disabled")
_WORDS = 400


def explain_uv(said: str) -> BuildError:
    """The error for what uv wrote on its standard error."""
    words = " ".join(re.sub(r"[×╰─▶│├]", " ", said).split())
    now = f"Python {sys.version_info.major}.{sys.version_info.minor}"
    if _FULL.search(words):
        return BuildError(
            "DiskFull",
            "Cannot make the training environment: the disk is full; free some space, the "
            "build is tried again.",
            retryable=True,
        )
    if _UNREACHABLE.search(words):
        return BuildError(
            "TrainingEnvironmentUnavailable",
            f"Cannot make the training environment: the package index does not answer "
            f"({_short(words)}); check the way there (UV_DEFAULT_INDEX names another index), "
            "the build is tried again.",
            retryable=True,
        )
    because = _BECAUSE.search(words)
    why = _short(because[1] if because else words or "uv did not say why")
    advice = "save the model again with a version that has one"
    if not _NO_WHEEL.search(words):
        advice = "correct spec.model.packages, or save the model again with published versions"
    return BuildError(
        "TrainingEnvironmentUnavailable",
        f"Cannot make the training environment for {now}: {why}; {advice}, or as ONNX or in the "
        "booster's own format.",
    )


def _short(words: str) -> str:
    return words.removeprefix("error: ")[:_WORDS].rstrip(" .;,")
