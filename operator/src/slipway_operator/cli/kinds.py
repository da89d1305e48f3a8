"""The kinds a command can name, the words people use for them, and their paths in the API."""

from dataclasses import dataclass
from typing import Final

from slipway_operator.api.vocabulary import GROUP, KIND, VERSION
from slipway_operator.cli.errors import USAGE, CliError


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A namespaced kind: `group` is empty for the core API."""

    name: str
    plural: str
    short: str
    group: str
    version: str

    @property
    def api_version(self) -> str:
        """As documents write it: `v1`, `slipway.dev/v1alpha1`."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def full_name(self) -> str:
        """As `-o name` writes it: `modeldeployment.slipway.dev`."""
        return f"{self.name.lower()}.{self.group}" if self.group else self.name.lower()

    def path(self, *, namespace: str | None, name: str | None = None) -> str:
        """The REST path of one object, of a namespace's list, or (None) of all namespaces."""
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        scope = f"/namespaces/{namespace}" if namespace else ""
        return f"{root}{scope}/{self.plural}" + (f"/{name}" if name else "")


MODEL_DEPLOYMENT: Final = Kind(
    name=KIND, plural="modeldeployments", short="md", group=GROUP, version=VERSION
)
POD: Final = Kind(name="Pod", plural="pods", short="po", group="", version="v1")
EVENT: Final = Kind(name="Event", plural="events", short="ev", group="", version="v1")
SECRET: Final = Kind(name="Secret", plural="secrets", short="sec", group="", version="v1")
KINDS: Final = (
    MODEL_DEPLOYMENT,
    POD,
    EVENT,
    SECRET,
    Kind(name="Service", plural="services", short="svc", group="", version="v1"),
    Kind(name="Deployment", plural="deployments", short="deploy", group="apps", version="v1"),
    Kind(name="Job", plural="jobs", short="job", group="batch", version="v1"),
    Kind(
        name="HTTPRoute",
        plural="httproutes",
        short="route",
        group="gateway.networking.k8s.io",
        version="v1",
    ),
)

LABEL_MODEL: Final = "slipway.dev/model"
LABEL_REVISION: Final = "slipway.dev/revision"


def find_kind(word: str) -> Kind | None:
    """The kind that a person means: singular, plural, short or with its group, in any case."""
    wanted = word.lower()
    for kind in KINDS:
        plural = f"{kind.plural}.{kind.group}" if kind.group else kind.plural
        if wanted in {kind.name.lower(), kind.plural, kind.short, kind.full_name, plural}:
            return kind
    return None


def parse_reference(first: str | None, second: str | None) -> tuple[Kind, str | None]:
    """Read `[KIND[/NAME]] [NAME]`; a lone word that is no kind is a ModelDeployment's name."""
    if first is None:
        return MODEL_DEPLOYMENT, None
    word, slash, name = first.partition("/")
    kind = find_kind(word)
    if slash or second is not None:
        if kind is None:
            known = ", ".join(each.plural for each in KINDS)
            raise CliError(f'Unknown kind "{word}".', todo=f"Known kinds: {known}.", code=USAGE)
        if slash and second is not None:
            raise CliError(
                f'Two names were given: "{name}" and "{second}".', todo="Give one.", code=USAGE
            )
        if not (name or second):
            raise CliError(
                f'No name stands after "{word}/".',
                todo=f"`slipway get {kind.plural}` lists the names.",
                code=USAGE,
            )
        return kind, (name if slash else second)
    return (kind, None) if kind is not None else (MODEL_DEPLOYMENT, first)
