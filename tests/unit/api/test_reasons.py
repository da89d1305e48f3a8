"""The catalogue of reasons is whole, and every word that the API uses stands in it."""

import re
import string

import pytest

from slipway_operator import contract
from slipway_operator.api import not_yet, reasons
from slipway_operator.api.reasons import REASONS, EventType, Topic, event_type, say
from slipway_operator.api.rules import RULES


def facts_of(template: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(template) if name}


@pytest.mark.parametrize("name", contract.BUILD_REASONS)
def test_every_reason_of_a_build_report_is_known(name: str) -> None:
    assert REASONS[name].action
    assert event_type(name) is EventType.WARNING


def test_every_reason_that_the_api_gives_is_known() -> None:
    given = {rule.reason for rule in RULES}
    given |= {not_yet.FIELD_REASON, not_yet.SCHEME_REASON, "YAMLInvalid", "KindUnknown"}
    given |= {"FieldMissing", "FieldUnknown", "TypeInvalid", "ValueInvalid", "NameInvalid"}
    assert given <= REASONS.keys()


@pytest.mark.parametrize("name", REASONS)
def test_a_reason_is_a_word_with_a_sentence_and_advice(name: str) -> None:
    reason = REASONS[name]
    assert re.fullmatch("[A-Z][A-Za-z0-9]*", name)
    assert reason.template == "{detail}" or reason.template.endswith((".", "{detail}", "{message}"))
    # Who is warned is told what to do.
    assert reason.action or reason.event is EventType.NORMAL
    assert not reason.action or reason.action.endswith(".")


def test_no_reason_stands_twice() -> None:
    rows = [
        row[0] for module in (reasons.reasons_spec, reasons.reasons_build) for row in module.ROWS
    ]
    rows += [row[0] for row in reasons.reasons_live.SERVING_ROWS]
    rows += [row[0] for row in reasons.reasons_live.ROLLOUT_ROWS]
    assert len(rows) == len(set(rows)) == len(REASONS)
    assert {reason.topic for reason in REASONS.values()} == set(Topic)


def test_a_sentence_is_made_of_its_facts() -> None:
    assert (
        say("Serving", revision="7c1f", ready=1, desired=2)
        == "Revision 7c1f answers with 1 of 2 pods."
    )


@pytest.mark.parametrize("name", REASONS)
def test_every_template_can_be_filled(name: str) -> None:
    filled = say(name, **dict.fromkeys(facts_of(REASONS[name].template), "x"))
    assert "{" not in filled


def test_a_reason_nobody_knows_is_an_error_of_the_program() -> None:
    with pytest.raises(KeyError, match="Nonsense"):
        say("Nonsense")
    with pytest.raises(KeyError, match="revision"):
        say("Serving")
