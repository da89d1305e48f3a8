"""From Structs to schemas, and what is written by the generator."""

from decimal import Decimal
from pathlib import Path
from typing import Annotated

import msgspec
import pytest
from msgspec import Meta

from slipway_operator.api import crd, reference
from slipway_operator.api.base import Rule, Spec, doc
from slipway_operator.api.schema import render_schema
from slipway_operator.api.vocabulary import LABEL_KEY


class Inner(Spec, frozen=True, kw_only=True):
    share: Annotated[
        Annotated[int, Meta(ge=1)] | Annotated[str, Meta(pattern="^[0-9]+$")], doc("A share.")
    ]


class Outer(Spec, frozen=True, kw_only=True):
    inner_part: Annotated[Inner | None, doc("Inside.")] = None
    labels: Annotated[dict[str, str], Meta(max_length=2)] = msgspec.field(default_factory=dict)
    ratio: float = 0.0


RULE = Rule(
    on=Inner,
    field="share",
    reason="ValueInvalid",
    message="no",
    cel="true",
    holds=lambda _: True,
)


def test_a_schema_for_an_api_server() -> None:
    assert render_schema(Outer, rules={Inner: (RULE,)}) == {
        "type": "object",
        "properties": {
            "innerPart": {
                "description": "Inside.",
                "type": "object",
                "properties": {
                    "share": {
                        "description": "A share.",
                        "minimum": 1,
                        "pattern": "^[0-9]+$",
                        "anyOf": [{"type": "integer"}, {"type": "string"}],
                        "x-kubernetes-int-or-string": True,
                    }
                },
                "required": ["share"],
                "x-kubernetes-validations": [
                    {"rule": "true", "message": "no", "fieldPath": ".share"}
                ],
            },
            "labels": {
                "type": "object",
                "additionalProperties": {"type": "string"},
                "maxProperties": 2,
            },
            "ratio": {"type": "number"},
        },
    }


def test_the_strict_form_knows_no_other_fields_and_ends_patterns_at_the_end() -> None:
    schema = render_schema(Outer, strict=True)
    assert schema["additionalProperties"] is False
    inner = schema["properties"]["innerPart"]
    assert inner["additionalProperties"] is False
    assert inner["properties"]["share"]["pattern"] == r"^[0-9]+\Z"
    keys = {"pattern": LABEL_KEY, "maxLength": 317}
    assert schema["properties"]["labels"]["propertyNames"] == keys


def test_a_type_without_a_schema_is_an_error_of_the_program() -> None:
    class Odd(Spec, frozen=True, kw_only=True):
        amount: Decimal

    with pytest.raises(TypeError, match="no schema for"):
        render_schema(Odd)


def test_the_generator_writes_every_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crd, "generated_files", lambda: {"docs/a.md": "a", "b.yaml": "b"})
    crd.main([str(tmp_path / "there")])
    monkeypatch.chdir(tmp_path)
    crd.main([])
    for root in (tmp_path / "there", tmp_path):
        assert (root / "docs/a.md").read_text() == "a"
        assert (root / "b.yaml").read_text() == "b"


def test_the_pages_name_what_is_not_yet_there() -> None:
    page = reference.render_api()
    rows = {row.split("`")[1]: row for row in page.splitlines() if row.startswith("| `")}
    assert "*Not yet.*" in rows["spec.autoscaling"]
    assert "*Not yet: Quarantine.*" in rows["spec.contract.onViolation"]
    assert "*Not yet: Dynamic.*" in rows["spec.rollout.stableScale"]
    assert "Not yet" not in rows["spec.rollout.strategy"]
    assert "Not yet" not in rows["spec.model.uri"]
    assert "| required | Build |" in rows["spec.model.uri"]
    assert "| `10` | Revision |" in rows["spec.serving.timeoutSeconds"]
