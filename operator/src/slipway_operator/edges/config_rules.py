"""What must be true of a configuration beyond the types of its keys; pure, and told all at once."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import yaml

_LABEL: Final = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_DOMAIN: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_IMAGE: Final = re.compile(r"[^\s@]+@sha256:[0-9a-f]{64}")
_STORE: Final = re.compile(r"oci(\+http)?://[a-z0-9.-]+(:[0-9]{1,5})?(/[a-z0-9._/-]*[a-z0-9])?")
_HOST_PORT: Final = re.compile(r"(\[[0-9a-fA-F:]+\]|[A-Za-z0-9.*-]+):[0-9]{1,5}")
_WEB: Final = re.compile(r"https?://(\[[0-9a-fA-F:]+\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?(/[^\s?#]*)?")
_LEASE_SECONDS: Final = range(5, 301)

Json = Mapping[str, Any]


def list_faults(config: Json) -> tuple[str, ...]:
    """A sentence for each: which key, its value, and what it must be. `config` as in the file."""
    return (
        *_check_texts(config),
        *_check_numbers(config),
        *_check_registry(config["registry"]),
    )


def _check_texts(config: Json) -> Iterator[str]:
    gateway = config["gateway"]
    one_each: Sequence[tuple[str, str | None, re.Pattern[str], str]] = (
        (
            "artifactStore", config["artifactStore"], _STORE,
            "oci://HOST[:PORT][/PREFIX], or oci+http://… for a registry without TLS",
        ),
        *(
            (f"images.{role}", image, _IMAGE, "an image by digest, NAME@sha256:…")
            for role, image in config["images"].items()
        ),
        ("domain", config["domain"], _DOMAIN, "a DNS name, such as models.example.com"),
        ("gateway.name", gateway["name"], _DOMAIN, "an object's name"),
        ("gateway.namespace", gateway["namespace"], _LABEL, "a namespace's name"),
        ("gateway.sectionName", gateway["sectionName"], _DOMAIN, "the name of a listener"),
        (
            "prometheus.url", (config["prometheus"] or {}).get("url"), _WEB,
            "http(s)://HOST[:PORT][/PATH], without a user, a query or an anchor",
        ),
        ("systemNamespace", config["systemNamespace"], _LABEL, "a namespace's name"),
        ("lease.name", config["lease"]["name"], _DOMAIN, "an object's name"),
        *(
            (f"watchNamespaces[{at}]", name, _LABEL, "a namespace's name")
            for at, name in enumerate(config["watchNamespaces"])
        ),
        *(
            (f"metricsFrom[{at}]", name, _LABEL, "a namespace's name")
            for at, name in enumerate(config["metricsFrom"])
        ),
        *(
            (f"fetchAllow[{at}]", entry, _HOST_PORT, "HOST:PORT")
            for at, entry in enumerate(config["fetchAllow"])
        ),
    )  # fmt: skip
    for key, value, pattern, form in one_each:
        if value is not None and pattern.fullmatch(value) is None:
            yield f'{key} is "{value}"; it must be {form}.'


def _check_numbers(config: Json) -> Iterator[str]:
    for key, value in config["limits"].items():
        if value < 1:
            yield f"limits.{key} is {value}; it must be at least 1."
    if config["maxBuildsPerNamespace"] < 1:
        yield f"maxBuildsPerNamespace is {config['maxBuildsPerNamespace']}; it must be at least 1."
    seconds = config["lease"]["durationSeconds"]
    if seconds not in _LEASE_SECONDS:
        yield (
            f"lease.durationSeconds is {seconds}; it must be from {_LEASE_SECONDS.start} "
            f"to {_LEASE_SECONDS.stop - 1}."
        )


def _check_registry(registry: Json) -> Iterator[str]:
    credentials = registry["credentials"]
    secret = registry["secretName"]
    if secret is not None and _DOMAIN.fullmatch(secret) is None:
        yield f'registry.secretName is "{secret}"; it must be an object\'s name.'
    for key, needed_by in (("signingKeyFile", "Embedded"), ("secretName", "Secret")):
        given, needed = registry[key] is not None, credentials == needed_by
        if needed and not given:
            yield f"registry.{key} is missing; registry.credentials {credentials} needs it."
        if given and not needed:
            yield (
                f"registry.{key} is given, but only registry.credentials {needed_by} uses it "
                f"(it is {credentials}): take it out."
            )


def is_web_address(text: str) -> bool:
    """Whether `prometheus.url` may be so."""
    return _WEB.fullmatch(text) is not None


def find_duplicate_key(text: str) -> str | None:
    """The first key that a mapping has twice; YAML's reader would take the last one silently.

    Raises:
        yaml.YAMLError: it is no YAML.
    """
    return _find_twice(yaml.compose(text, Loader=yaml.SafeLoader))


def _find_twice(node: yaml.Node | None) -> str | None:
    if isinstance(node, yaml.SequenceNode):
        children = list(node.value)
    elif isinstance(node, yaml.MappingNode):
        keys = [str(key.value) for key, _ in node.value]
        twice = next((key for key in keys if keys.count(key) > 1), None)
        if twice is not None:
            return twice
        children = [value for _, value in node.value]
    else:
        return None
    return next((found for each in children if (found := _find_twice(each)) is not None), None)
