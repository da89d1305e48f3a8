"""Every rule is said twice, in Python and in CEL: each row is refused by both, or by neither."""

from typing import Any

import msgspec
import pytest

from api_cel import refused_in_cel
from api_rule_cases import ACCEPTED, NOT_YET, REFUSED, SUPPORTED
from slipway_operator.api import crd, not_yet
from slipway_operator.api.not_yet import refuse_not_yet
from slipway_operator.api.parse import parse_modeldeployment
from slipway_operator.api.rules import RULES
from slipway_operator.api.spec import ModelDeployment
from slipway_operator.api.structure import validate_structure
from slipway_operator.api.validation import validate_semantics

SCHEMA = crd.render_crd()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]


LATER_WORDS = {row.words for row in not_yet.FIELDS} | {not_yet.SCHEME_WORDS, not_yet.DEVICE_WORDS}


def split_cel(found: dict[str, Any]) -> tuple[list[str], list[str]]:
    """What the CRD says against a document: about its sense, and that something comes later."""
    said = list(refused_in_cel(SCHEMA, found))
    later = [words for words in said if "this version" in words]
    return [words for words in said if words not in later], later


def messages_of_rules(found: dict[str, Any]) -> list[str]:
    asked = msgspec.convert({"metadata": found["metadata"], "spec": found["spec"]}, ModelDeployment)
    return [error.message for error in validate_semantics(asked)]


@pytest.mark.parametrize(("found", "words"), REFUSED.values(), ids=REFUSED.keys())
def test_both_refuse(found: dict[str, Any], words: str) -> None:
    assert validate_structure(found) == ()
    ours = messages_of_rules(found)
    theirs, _ = split_cel(found)
    assert any(words in message for message in ours), ours
    assert any(words in message for message in theirs), theirs
    assert len(ours) == len(theirs)


@pytest.mark.parametrize("found", ACCEPTED.values(), ids=ACCEPTED.keys())
def test_both_accept(found: dict[str, Any]) -> None:
    assert validate_structure(found) == ()
    assert messages_of_rules(found) == []
    assert split_cel(found)[0] == []


@pytest.mark.parametrize("path", NOT_YET)
def test_both_refuse_what_comes_later_in_the_same_words(path: str) -> None:
    for found in NOT_YET[path]:
        assert validate_structure(found) == ()
        (ours,) = (error.message for error in refuse_not_yet(found))
        (theirs,) = split_cel(found)[1]
        (words,) = (words for words in LATER_WORDS if theirs.endswith(words))
        assert ours.endswith(words)


@pytest.mark.parametrize("found", SUPPORTED.values(), ids=SUPPORTED.keys())
def test_both_accept_what_is_supported(found: dict[str, Any]) -> None:
    assert parse_modeldeployment(found).errors == ()
    assert list(refused_in_cel(SCHEMA, found)) == []


@pytest.mark.parametrize("found", [*REFUSED.values(), *ACCEPTED.values()])
def test_both_say_as_often_that_something_comes_later(found: Any) -> None:
    found = found[0] if isinstance(found, tuple) else found
    assert len(list(refuse_not_yet(found))) == len(split_cel(found)[1])


def test_all_that_comes_later_has_a_row() -> None:
    wanted = {row.path for row in not_yet.FIELDS} | {*not_yet.URI_FIELDS, *not_yet.AMOUNTS}
    assert wanted == NOT_YET.keys()


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: f"{rule.on.__name__}.{rule.field}")
def test_every_rule_has_a_row_that_it_refuses(rule: Any) -> None:
    refused = [
        words
        for found, words in REFUSED.values()
        if any(
            rule.message in message and words in rule.message
            for message in messages_of_rules(found)
        )
    ]
    assert refused
