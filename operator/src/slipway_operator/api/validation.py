"""Whether a document of the right shape makes sense: `rules`, applied to the resolved spec.

Each rule has a twin in the CRD that refuses the same documents. Only what depends on where Slipway
runs (`file:` on a cluster, `pvc:` on a laptop) has none.
"""

from collections.abc import Iterator
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import fields

from slipway_operator.api.base import Rule
from slipway_operator.api.errors import SpecError
from slipway_operator.api.rules import rules_by_struct
from slipway_operator.api.spec import ModelDeployment
from slipway_operator.api.structure import render_path, render_value

_RULES: Final = rules_by_struct()


def validate_semantics(asked: ModelDeployment) -> tuple[SpecError, ...]:
    """Everything that cannot work although its shape is right, sorted."""
    return tuple(
        sorted(
            _explain(rule, path, part)
            for path, part in walk_structs(asked)
            for rule in _RULES.get(type(part), ())
            if not rule.holds(part)
        )
    )


# Schemes that only one place has: scheme → (whether that is a laptop, why not here).
_PLACES: Final = {
    "file": (
        True,
        "a cluster cannot read a file of your machine. Upload it to an s3 or https address and use "
        "that",
    ),
    "pvc": (
        False,
        "a laptop has no PersistentVolumeClaims. Give the path of the file on this machine, "
        "file:PATH",
    ),
}


def refuse_elsewhere(asked: ModelDeployment, *, on_laptop: bool) -> tuple[SpecError, ...]:
    """Addresses that cannot be read from here: files on a cluster, claims on a laptop."""
    model = asked.spec.model
    uris = {"spec.model.uri": model.uri}
    if model.samples is not None:
        uris["spec.model.samples.uri"] = model.samples.uri
    return tuple(
        SpecError(
            path=path,
            reason="URIForbidden",
            message=f"{path} is {render_value(uri)}: {why}.",
        )
        for path, uri in sorted(uris.items())
        for scheme, (laptop, why) in _PLACES.items()
        if uri.startswith(f"{scheme}:") and laptop is not on_laptop
    )


def walk_structs(part: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str, Struct]]:
    """Every Struct inside a Struct or tuple, itself first, with its path."""
    if isinstance(part, Struct):
        yield render_path(path), part
        for name, shown in zip(part.__struct_fields__, part.__struct_encode_fields__, strict=True):
            yield from walk_structs(getattr(part, name), (*path, shown))
    elif isinstance(part, tuple):
        for index, member in enumerate(part):
            yield from walk_structs(member, (*path, index))


def _explain(rule: Rule, path: str, part: Struct) -> SpecError:
    blamed = f"{path}.{rule.field}".strip(".")
    values = [(blamed, _value(part, rule.field))]
    values += [(name, _value(part, name)) for name in rule.beside]
    shown = " and ".join(
        f"{name} is {_show(value)}"
        for name, value in values
        if not isinstance(value, Struct | tuple)
    )
    return SpecError(
        path=blamed,
        reason=rule.reason,
        message=f"{shown or blamed}: {rule.message}.",
    )


def _show(value: object) -> str:
    if value is None:
        return "absent"
    if isinstance(value, dict):  # of amounts or labels
        return "{" + ", ".join(f"{key}: {member}" for key, member in sorted(value.items())) + "}"
    return render_value(value)


def _value(part: Any, field: str) -> object:
    """The value of a member by its JSON name, dotted; the Struct itself for an empty name."""
    for name in filter(None, field.split(".")):
        attribute = next(each.name for each in fields(part) if each.encode_name == name)
        part = getattr(part, attribute)
    return part
