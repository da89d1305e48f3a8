"""What holds for every document, made up by a machine."""

import json
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from api_documents import document
from slipway_operator.api.parse import parse_modeldeployment
from slipway_operator.api.reasons import REASONS
from slipway_operator.api.schema import render_schema
from slipway_operator.api.spec import ModelDeployment, ModelDeploymentSpec
from slipway_operator.api.structure import store_value, validate_structure
from slipway_operator.api.yaml_reading import read_documents

made_up = settings(derandomize=True, deadline=None, max_examples=60)

SCHEMA = render_schema(ModelDeploymentSpec)

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
    st.text(alphabet=st.characters(categories=["Cs", "Cc"]), max_size=3),
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=10), inner, max_size=3)
    ),
    max_leaves=10,
)


def fields_of(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Values shaped like a schema, with a stranger among them now and then."""
    fitting: st.SearchStrategy[Any]
    if "enum" in schema:
        fitting = st.sampled_from(schema["enum"])
    elif schema.get("type") == "object" and "properties" in schema:
        members = {name: fields_of(member) for name, member in schema["properties"].items()}
        required = schema.get("required", [])
        fitting = st.fixed_dictionaries(
            {name: members[name] for name in required},
            optional={name: members[name] for name in members if name not in required},
        )
    elif schema.get("type") == "object":
        fitting = st.dictionaries(
            st.sampled_from(["cpu", "memory", "a/b", "team"]),
            fields_of(schema["additionalProperties"]),
            max_size=2,
        )
    elif schema.get("type") == "array":
        fitting = st.lists(fields_of(schema["items"]), max_size=2)
    elif schema.get("type") == "integer":
        fitting = st.integers(schema["minimum"], schema["maximum"])
    elif schema.get("type") == "boolean":
        fitting = st.booleans()
    else:
        fitting = st.sampled_from(
            ["file:/m", "https://e.com/m", "a", "0.5", "1", "512Mi", "100m", "hf://x", 3, "x y"]
        )
    return st.one_of(fitting, fitting, fitting, fitting, fitting, fitting, scalars)


specs = fields_of(SCHEMA)


def refuse_nothing_unexplained(found: Any) -> None:
    parsed = parse_modeldeployment(found)
    assert (parsed.asked is None) == bool(parsed.errors)
    assert list(parsed.errors) == sorted(set(parsed.errors))
    for error in parsed.errors:
        assert error.reason in REASONS
        assert error.message.endswith((".", "?"))


@made_up
@given(values)
def test_any_json_is_read_without_raising(found: Any) -> None:
    refuse_nothing_unexplained(found)
    refuse_nothing_unexplained({"metadata": found, "spec": found})
    refuse_nothing_unexplained(document() | {"spec": found})


@made_up
@given(specs)
def test_any_spec_is_read_without_raising(spec: Any) -> None:
    refuse_nothing_unexplained(document() | {"spec": spec})


def without_null(value: Any) -> Any:
    """What is written: absent members stay out."""
    return store_value(msgspec.to_builtins(value))


@made_up
@given(specs)
def test_what_has_the_right_shape_survives_a_round_trip(spec: Any) -> None:
    found = store_value({"metadata": {"name": "churn"}, "spec": spec})
    if validate_structure(found):
        found = document()  # one example is always there
        del found["apiVersion"], found["kind"]
    once = msgspec.convert(found, ModelDeployment)
    written = without_null(once)
    assert validate_structure(written) == ()
    assert msgspec.convert(json.loads(json.dumps(written)), ModelDeployment) == once


@made_up
@given(specs, st.randoms(use_true_random=False))
def test_the_order_of_fields_changes_nothing(spec: Any, shuffle: Any) -> None:
    def shuffled(value: Any) -> Any:
        if isinstance(value, dict):
            names = list(value)
            shuffle.shuffle(names)
            return {name: shuffled(value[name]) for name in names}
        return [shuffled(member) for member in value] if isinstance(value, list) else value

    found = document() | {"spec": spec}
    first = parse_modeldeployment(found)
    second = parse_modeldeployment(shuffled(found))
    assert first.errors == second.errors
    assert first.asked == second.asked


@made_up
@given(st.text(max_size=60))
def test_any_text_is_read_without_raising(text: str) -> None:
    reading = read_documents(text)
    assert all(error.reason in REASONS for error in reading.errors)


@made_up
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
        ),
        max_leaves=12,
    )
)
def test_json_is_read_as_json(value: Any) -> None:
    body = {"kind": "Secret", "apiVersion": "v1", "value": value}
    [found] = read_documents(json.dumps(body)).documents
    assert found.body == body
