"""Every rule of the contract under every policy: what is answered, refused and said."""

from typing import Any

import numpy as np
import pytest

from serving_schema import GOOD, gate_of, mixed
from slipway_runtime.contract import CONTRACT_RULES
from slipway_runtime.serving.core.faults import ModelInvalid, RequestFault, Violation
from slipway_runtime.serving.core.gate import Admitted
from slipway_runtime.serving.core.policies import POLICIES, RULES, StatedRule, compile_policies
from slipway_runtime.serving.core.table import table_from_csv, table_from_rows


def admit(change: dict[str, Any], general: str = "Warn", *rules: StatedRule) -> Admitted:
    row = {name: value for name, value in (GOOD | change).items() if value is not ...}
    table = table_from_rows([row, GOOD | {"unused": 1}], limit=2)
    for name, value in change.items():
        if value is ...:  # a column that no row has
            table.columns.pop(name, None)  # type: ignore[attr-defined]
    return gate_of(mixed(), general, *rules).admit(table)


def only(violations: tuple[Violation, ...]) -> Violation:
    (violation,) = violations
    return violation


def default(column: str, rule: str, value: str | None = None) -> StatedRule:
    return StatedRule(column=column, rule=rule, policy="Default", value=value)


def test_the_rules_and_policies_are_those_of_the_wire() -> None:
    assert RULES == CONTRACT_RULES


def test_a_clean_row_has_no_violation_and_the_models_types() -> None:
    admitted = admit({})
    assert admitted.violations == ()
    assert {name: array.dtype.str for name, array in admitted.tensors.items()} == {
        "bill": "<f4", "mass": "<f4", "island": "|O", "year": "<i8", "tagged": "|b1", "note": "|O",
    }  # fmt: skip
    assert all(array.shape == (2, 1) for array in admitted.tensors.values())


WARNED: dict[str, tuple[dict[str, Any], str, str, Any]] = {
    "an extra column": ({"height": 3}, "ExtraColumn", "height", None),
    "a missing column that may be missing": ({"bill": ...}, "MissingColumn", "bill", np.nan),
    "a number written as text": ({"mass": "3500"}, "WrongType", "mass", 3500.0),
    "a number where text is read": ({"island": 5, "note": "x"}, "WrongType", "island", "5"),
    "a boolean where a number is read": ({"bill": True}, "WrongType", "bill", 1.0),
    "a text for a number that may be missing": ({"bill": "big"}, "WrongType", "bill", np.nan),
    "a list for a number that may be missing": ({"bill": [1]}, "WrongType", "bill", np.nan),
    "a number too large for FP32": ({"bill": 1e300}, "WrongType", "bill", np.nan),
    "an unknown category": ({"island": "Mars"}, "UnknownCategory", "island", "Mars"),
    "below the range": ({"mass": 1}, "OutOfRange", "mass", 1.0),
    "above the range": ({"bill": 71.5}, "OutOfRange", "bill", 71.5),
}


@pytest.mark.parametrize(("change", "rule", "column", "used"), WARNED.values(), ids=WARNED.keys())
def test_warn_answers_and_says_so(
    change: dict[str, Any], rule: str, column: str, used: Any
) -> None:
    admitted = admit(change)
    violation = admitted.violations[0]
    assert (violation.rule, violation.column, violation.policy) == (rule, column, "Warn")
    assert column in violation.message
    if used is not None:
        got = admitted.tensors[column][0, 0]
        assert got == pytest.approx(used, nan_ok=True) if isinstance(used, float) else got == used


REFUSED: dict[str, tuple[dict[str, Any], str, str]] = {
    "a missing column that the model needs": ({"mass": ...}, "MissingColumn", "mass"),
    "a missing value that the model needs": ({"mass": None}, "MissingValue", "mass"),
    "a missing integer": ({"year": None}, "MissingValue", "year"),
    "a text that is no number": ({"mass": "heavy"}, "WrongType", "mass"),
    "a fraction for an integer": ({"year": 1.5}, "WrongType", "year"),
    "an integer too large": ({"year": 2**80}, "WrongType", "year"),
    "a word for a boolean": ({"tagged": "maybe"}, "WrongType", "tagged"),
    "an object for a text": ({"island": {}}, "WrongType", "island"),
}


@pytest.mark.parametrize(("change", "rule", "column"), REFUSED.values(), ids=REFUSED.keys())
def test_what_the_model_cannot_take_is_refused_even_under_warn(
    change: dict[str, Any], rule: str, column: str
) -> None:
    with pytest.raises(RequestFault) as caught:
        admit(change)
    violation = only(caught.value.violations)
    assert caught.value.reason == "ContractViolated"
    assert (violation.rule, violation.column, violation.policy) == (rule, column, "Reject")
    assert violation.message == caught.value.message


@pytest.mark.parametrize(("change", "rule", "column", "_used"), WARNED.values(), ids=WARNED.keys())
def test_reject_refuses_everything(
    change: dict[str, Any], rule: str, column: str, _used: Any
) -> None:
    with pytest.raises(RequestFault) as caught:
        admit(change, "Reject")
    assert (caught.value.violations[0].rule, caught.value.violations[0].column) == (rule, column)


DEFAULTED: dict[str, tuple[dict[str, Any], StatedRule, Any]] = {
    "a missing column": ({"mass": ...}, default("mass", "MissingColumn", "4200"), 4200.0),
    "a missing value": ({"mass": None}, default("mass", "MissingValue", "4200"), 4200.0),
    "a wrong type": ({"mass": "heavy"}, default("mass", "WrongType", "4200"), 4200.0),
    "an unknown category": (
        {"island": "Mars"}, default("island", "UnknownCategory", "Biscoe"), "Biscoe",
    ),
    "the contract's own default": (
        {"island": "Mars"}, default("island", "UnknownCategory"), "Dream",
    ),
    "out of range": ({"mass": 9e3}, default("mass", "OutOfRange", "8000"), 8000.0),
    "an integer": ({"year": None}, default("year", "MissingValue", "2008"), 2008),
    "a boolean": ({"tagged": None}, default("tagged", "MissingValue", "false"), False),
}  # fmt: skip


@pytest.mark.parametrize(("change", "rule", "used"), DEFAULTED.values(), ids=DEFAULTED.keys())
def test_default_replaces_the_value_and_says_so(
    change: dict[str, Any], rule: StatedRule, used: Any
) -> None:
    admitted = admit(change, "Reject", rule)
    violation = only(admitted.violations)
    assert (violation.rule, violation.policy) == (rule.rule, "Default")
    assert violation.replacement == str(used)
    assert admitted.tensors[rule.column][0, 0] == used
    untouched = GOOD[rule.column]
    if change[rule.column] is not ...:
        assert admitted.tensors[rule.column][1, 0] == pytest.approx(untouched)


def test_default_without_any_known_value_refuses() -> None:
    with pytest.raises(RequestFault):
        admit({"mass": None}, "Default")


def test_a_stated_rule_wins_over_the_general_policy() -> None:
    rule = StatedRule(column="island", rule="UnknownCategory", policy="Warn")
    assert only(admit({"island": "Mars"}, "Reject", rule).violations).policy == "Warn"


def test_all_violations_are_told_also_when_one_refuses() -> None:
    with pytest.raises(RequestFault) as caught:
        admit({"mass": None, "island": "Mars", "height": 1})
    rules = [violation.rule for violation in caught.value.violations]
    assert rules == ["ExtraColumn", "MissingValue", "UnknownCategory"]


def test_a_violation_counts_all_rows_and_names_the_first_ten() -> None:
    table = table_from_rows([GOOD | {"island": "Mars"}] * 25, limit=25)
    violation = only(gate_of(mixed()).admit(table).violations)
    assert violation.count == 25
    assert violation.rows == tuple(range(10))


def test_what_a_stranger_sent_is_clipped() -> None:
    violation = only(admit({"island": "x" * 10_000}).violations)
    assert len(violation.message) < 300
    assert len(violation.value or "") <= 64


def test_a_known_column_that_the_model_does_not_read_is_no_violation() -> None:
    assert admit({"unused": 12}).violations == ()


def test_a_missing_text_is_what_the_runtime_reads_for_it() -> None:
    table = table_from_rows([GOOD | {"note": None}], limit=1)
    for wanted in ("", None):
        gate = gate_of(mixed(), missing_text=wanted)
        assert gate.admit(table).tensors["note"][0, 0] == wanted


CSV: dict[str, tuple[str, Any]] = {
    "an empty number": ("bill", ""),
    "NA for a number": ("bill", "NA"),
    "NA for a text": ("note", "NA"),
}


@pytest.mark.parametrize(("column", "text"), CSV.values(), ids=CSV.keys())
def test_csv_has_words_for_missing(column: str, text: str) -> None:
    row = {name: str(value) for name, value in GOOD.items()} | {column: text}
    body = f"{','.join(row)}\n{','.join(row.values())}\n".encode()
    admitted = gate_of(mixed(), missing_text=None).admit(table_from_csv(body, limit=5))
    assert admitted.violations == ()
    got = admitted.tensors[column][0, 0]
    assert got is None or np.isnan(got)


def test_csv_numbers_integers_and_booleans_are_read_from_text() -> None:
    body = b"bill,mass,island,year,tagged,note\n44.1, 3500 ,Dream,2007,true,ok\n"
    admitted = gate_of(mixed()).admit(table_from_csv(body, limit=5))
    assert admitted.violations == ()
    assert admitted.tensors["mass"][0, 0] == 3500
    assert admitted.tensors["tagged"][0, 0]


INVALID: dict[str, tuple[str, StatedRule, tuple[str, ...]]] = {
    "a column that the model does not read": (
        "Warn", default("height", "MissingValue", "1"), ("height", "bill"),
    ),
    "a value of another type": (
        "Warn", default("mass", "MissingValue", "heavy"), ("mass", "heavy"),
    ),
    "a category that is unknown itself": (
        "Warn", default("island", "UnknownCategory", "Mars"), ("Mars", "Biscoe"),
    ),
    "no value anywhere": ("Warn", default("mass", "MissingValue"), ("mass",)),
    "a policy for batches": (
        "Warn",
        StatedRule(column="mass", rule="MissingValue", policy="Quarantine"),
        ("Quarantine",),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("general", "rule", "words"), INVALID.values(), ids=INVALID.keys())
def test_a_rule_that_cannot_work_is_refused_at_start(
    general: str, rule: StatedRule, words: tuple[str, ...]
) -> None:
    with pytest.raises(ModelInvalid) as caught:
        compile_policies(mixed(), general, [rule])
    for word in words:
        assert word in str(caught.value)


def test_a_general_policy_that_serving_does_not_know_is_refused() -> None:
    with pytest.raises(ModelInvalid, match="Quarantine"):
        compile_policies(mixed(), "Quarantine", [])
    assert "Quarantine" not in POLICIES
