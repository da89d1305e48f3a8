"""Reading YAML as kubectl does. The values of the table come from Kubernetes' own YAML library."""

import json
from typing import Any

import pytest

from slipway_operator.api import yaml_reading
from slipway_operator.api.yaml_reading import Document, read_documents

HEAD = "apiVersion: v1\nkind: Secret\n"  # two lines


def read(text: str) -> dict[str, Any]:
    reading = read_documents(text)
    assert reading.errors == ()
    [document] = reading.documents
    return document.body


def fault(text: str) -> tuple[str, str, str]:
    reading = read_documents(text)
    assert reading.documents == ()
    [error] = reading.errors
    return error.path, error.reason, error.message


# sigs.k8s.io/yaml v1.6.0, YAMLToJSONStrict("v: …"), unless marked.
SCALARS: dict[str, Any] = {
    "1e-3": 0.001,
    "NO": False,
    "on": True,
    "012": 10,
    "1_000": 1000,
    "09": 9,
    "2020-01-01": "2020-01-01",
    "1:30": "1:30",
    "0x1F": 31,
    ".5": 0.5,
    "+5": 5,
    "-0b11": -3,
    "1e3": 1000,
    "1E400": "1E400",
    "y": True,
    "Off": False,
    "'5'": "5",
    '"on"': "on",
    "!!str 5": "5",
    "._5": "._5",
    "0o17": 15,
    "-012": -10,
    "1__0": 10,
    "0_7": 7,
    "+": "+",
    ".": ".",
    "1.5e": "1.5e",
    "0x": "0x",
    "1.0e2": 100,
    "0b2": "0b2",
    "_1": "_1",
    "~": None,
    "!!float 3": 3,
    "!!null ~": None,
    "!!bool yes": True,
    "1.5": 1.5,
    "churn": "churn",
    "": None,
    # A number of more digits than any field takes stays text here.
    "1" * 401: "1" * 401,
}


@pytest.mark.parametrize("text", SCALARS, ids=lambda text: f"<{text[:20]}>")
def test_a_scalar_means_what_it_means_to_kubectl(text: str) -> None:
    value = read(f"{HEAD}v: {text}\n")["v"]
    assert value == SCALARS[text]
    assert type(value) is type(SCALARS[text])


def test_keys_are_text() -> None:
    found = read(f"{HEAD}data: {{1: a, on: b, 1.5: c, x: d}}\n")["data"]
    assert found == {"1": "a", "true": "b", "1.5": "c", "x": "d"}


def test_several_documents_with_their_lines() -> None:
    model = "apiVersion: slipway.dev/v1alpha1\nkind: ModelDeployment\nspec: {}\n"
    reading = read_documents(f"# a comment\n---\n{HEAD}---\n---\n{model}")
    assert reading.errors == ()
    assert [(each.kind, each.line) for each in reading.documents] == [
        ("Secret", 3),
        ("ModelDeployment", 7),
    ]


def test_nothing_is_no_document() -> None:
    assert read_documents("") == read_documents("# nothing\n---\n")


def test_the_members_of_a_list_stand_for_themselves() -> None:
    reading = read_documents(
        "kind: List\nitems:\n- {kind: Secret, apiVersion: v1}\n- {kind: Pod, apiVersion: v1}\n"
    )
    assert [each.kind for each in reading.documents] == ["Secret"]
    [error] = reading.errors
    assert (error.path, error.reason) == ("document 2", "KindUnknown")


def test_json_is_yaml_even_with_tabs() -> None:
    body = {"kind": "Secret", "apiVersion": "v1", "data": {"a": "b\tc", "n": 1e-3}}
    assert read(json.dumps(body, indent="\t")) == body


def test_a_character_may_be_written_as_two_halves() -> None:
    assert read(f'{HEAD}a: "\\ud83d\\udc27"')["a"] == "\U0001f427"


def test_merges_and_aliases() -> None:
    found = read(
        f"{HEAD}base: &base {{a: 1, b: 1}}\nmore: &more {{b: 2, c: 2}}\n"
        "one: {<<: *base, b: 3}\ntwo: {<<: [*base, *more], d: 4}\n"
    )
    assert found["one"] == {"a": 1, "b": 3}
    assert found["two"] == {"a": 1, "b": 1, "c": 2, "d": 4}


# id → (text, place, words)
FAULTS: dict[str, tuple[str, str, str]] = {
    "bracket left open": ("kind: [ModelDeployment\n", "line 2, column 1", "expected ',' or ']'"),
    "colon too many": ("a: b: c\n", "line 1, column 5", "mapping values are not allowed"),
    "tab": ("a:\n\tb: 1\n", "line 2, column 1", "cannot start any token"),
    "key twice": ("a: 1\nb: 2\na: 3\n", "line 3, column 1", '"a" stands twice'),
    "key twice below": ("a: {b: 1, b: 2}\n", "line 1, column 11", '"b" stands twice'),
    "key twice by another name": ("on: 1\ntrue: 2\n", "line 2, column 1", '"true" stands twice'),
    "alias of nothing": ("a: *b\n", "line 1, column 4", "undefined alias"),
    "alias of itself": ("&a [*a]\n", "line 1, column 1", "nested deeper than 64"),
    "control character": ("a: b\nc: \x01\n", "line 2, column 4", "U+0001 is not allowed"),
    "no number of JSON": ("a: .nan\n", "line 1, column 4", "JSON has no number .nan"),
    "code of Python": ("a: !!python/object:os x\n", "line 1, column 4", "is not allowed"),
    "own tag": ("a: !mine x\n", "line 1, column 4", "the tag !mine is not allowed"),
    "tag that does not fit": ("a: !!int x\n", "line 1, column 4", "cannot be read as !!int"),
    "key that is a list": ("? [1]\n: 2\n", "line 1, column 3", "a key must be text"),
    "key that is null": ("~: 2\n", "line 1, column 1", "a key must be text"),
    "half a character": ('a: "\\ud83d"', "line 1, column 4", "half of a"),
    "merge of text": ("a: {<<: b}\n", "line 1, column 9", "only a mapping can be merged"),
    "flow nested too deeply": ("[" * 500_000, "line 1, column 65", "deeper than 64"),
    "block nested too deeply": ("- " * 500_000, "line 1, column 129", "deeper than 64"),
    "both nested too deeply": (
        "- " * 40 + "[" * 40 + "]" * 40,
        "line 1, column 106",
        "deeper than 64",
    ),
    "too long": ("#" * 1_048_577, "line 1, column 1", "more than 1048576 characters"),
}


@pytest.mark.parametrize(("text", "place", "words"), FAULTS.values(), ids=FAULTS.keys())
def test_what_cannot_be_read_is_told_with_its_place(text: str, place: str, words: str) -> None:
    path, reason, message = fault(text)
    assert (path, reason) == (place, "YAMLInvalid")
    assert place in message
    assert words in message
    assert message.endswith(".")


def test_aliases_cannot_blow_a_document_up() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 9)]
    _, reason, message = fault("\n".join(lines))
    assert reason == "YAMLInvalid"
    assert f"more than {yaml_reading.NODES_LIMIT} values" in message


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("just a sentence\n", "not a mapping"),
        ("- a\n- b\n", "not a mapping"),
        ("a: 1\n", "has kind null and apiVersion null"),
        ("kind: Pod\napiVersion: v1\n", 'has kind "Pod"'),
        ("kind: ModelDeployment\napiVersion: v1\n", 'apiVersion "v1"'),
        ("kind: ModelDeployment\n", "apiVersion null"),
        ("kind: [a]\napiVersion: 1\n", "that is no text"),
        ("kind: List\nitems: 5\n", 'has kind "List"'),
    ],
    ids=lambda text: text.splitlines()[0],
)
def test_a_document_of_another_kind_is_refused(text: str, words: str) -> None:
    path, reason, message = fault(text)
    assert path == "document 1"
    assert reason == ("YAMLInvalid" if "mapping" in words else "KindUnknown")
    assert words in message
    assert "(line 1)" in message


def test_a_good_document_beside_a_bad_one_is_still_given() -> None:
    reading = read_documents(f"{HEAD}---\nkind: Pod\n")
    assert reading.documents == (
        Document(kind="Secret", line=1, body={"apiVersion": "v1", "kind": "Secret"}),
    )
    assert len(reading.errors) == 1
