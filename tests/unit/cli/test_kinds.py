"""The grammar VERB [KIND[/NAME]] [NAME]."""

import pytest

from slipway_operator.cli.errors import USAGE, CliError
from slipway_operator.cli.kinds import KINDS, MODEL_DEPLOYMENT, POD, Kind, parse_reference


@pytest.mark.parametrize(
    ("first", "second", "kind", "name"),
    [
        (None, None, MODEL_DEPLOYMENT, None),
        ("penguins", None, MODEL_DEPLOYMENT, "penguins"),
        ("md", None, MODEL_DEPLOYMENT, None),
        ("modeldeployment", "penguins", MODEL_DEPLOYMENT, "penguins"),
        ("modeldeployments.slipway.dev/penguins", None, MODEL_DEPLOYMENT, "penguins"),
        ("ModelDeployment/penguins", None, MODEL_DEPLOYMENT, "penguins"),
        ("pods", None, POD, None),
        ("po", "x", POD, "x"),
    ],
)
def test_a_reference_is_read(
    first: str | None, second: str | None, kind: Kind, name: str | None
) -> None:
    assert parse_reference(first, second) == (kind, name)


@pytest.mark.parametrize(
    ("first", "second", "words"),
    [("gadgets", "x", "gadgets"), ("gadgets/x", None, "gadgets"), ("md/a", "b", "Two names")],
)
def test_a_bad_reference_is_wrong_usage(first: str, second: str | None, words: str) -> None:
    with pytest.raises(CliError, match=words) as caught:
        parse_reference(first, second)
    assert caught.value.code == USAGE


def test_a_kind_with_a_slash_and_nothing_behind_it_is_wrong_usage() -> None:
    with pytest.raises(CliError, match='No name stands after "md/"'):
        parse_reference("md/", None)


def test_no_word_means_two_kinds() -> None:
    words = [word for kind in KINDS for word in {kind.name.lower(), kind.plural, kind.short}]
    assert len(words) == len(set(words))


def test_paths_are_those_of_kubernetes() -> None:
    root = "/apis/slipway.dev/v1alpha1"
    path = MODEL_DEPLOYMENT.path
    assert path(namespace=None) == f"{root}/modeldeployments"
    assert path(namespace="a", name="b") == f"{root}/namespaces/a/modeldeployments/b"
    assert POD.path(namespace="a") == "/api/v1/namespaces/a/pods"
