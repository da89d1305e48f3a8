"""Objects as a Table, the form in which kubectl prints them: the columns are `slipway get`'s."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from slipway_operator.local.kinds import Kind
from slipway_operator.shown.columns import Cell, columns_of, row_of

Object = dict[str, Any]

_AS_TABLE: Final = re.compile(r";as=Table\b")


def wants_table(accept: str) -> bool:
    """Whether an ``Accept`` header asks for a Table first, as kubectl's does."""
    return _AS_TABLE.search(accept.replace(" ", "").partition(",")[0]) is not None


def build_table(
    kind: Kind, items: Sequence[Object], *, version: str, now: datetime, whole: bool
) -> Object:
    """A Table of one kind; a row carries its object's metadata, or with ``whole`` all of it."""
    columns = _order_columns(kind)
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": {"resourceVersion": version},
        "columnDefinitions": [
            {
                "name": title.title(),
                "type": "string",
                "format": "name" if title == "NAME" else "",
                "description": "",
                "priority": int(is_wide),
            }
            for title, _, is_wide in columns
        ],
        "rows": [
            {
                "cells": row_of(item, tuple((title, cell) for title, cell, _ in columns), now),
                "object": item if whole else _only_metadata(item),
            }
            for item in items
        ],
    }


def _order_columns(kind: Kind) -> list[tuple[str, Cell, bool]]:
    """Title, cell, and whether only ``-o wide`` shows it; the age comes last, as in the CRD."""
    narrow = columns_of(kind.kind, wide=False, namespaces=False)
    everything = columns_of(kind.kind, wide=True, namespaces=False)
    found = [(title, cell, (title, cell) not in narrow) for title, cell in everything]
    return sorted(found, key=lambda column: column[0] == "AGE")


def _only_metadata(item: Mapping[str, Any]) -> Object:
    return {
        "kind": "PartialObjectMetadata",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": item["metadata"],
    }
