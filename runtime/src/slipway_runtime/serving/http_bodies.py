"""Bodies of `POST /predict` by media type."""

from typing import Any

import orjson

from slipway_runtime.serving.core.faults import RequestFault
from slipway_runtime.serving.core.table import Table, table_from_csv, table_from_rows

JSON_TYPE = "application/json"
_CSV = "text/csv"
_PARQUET = ("application/vnd.apache.parquet", "application/x-parquet")
_ARROW = ("application/vnd.apache.arrow.stream", "application/vnd.apache.arrow.file")
MEDIA_TYPES = (JSON_TYPE, _CSV, _PARQUET[0], *_ARROW)


def check_media_type(content_type: str | None, allowed: tuple[str, ...]) -> str:
    """The media type without parameters; none given means JSON.

    Raises:
        RequestFault: MediaTypeUnsupported.
    """
    if content_type == JSON_TYPE:  # nearly always, and every caller allows it
        return JSON_TYPE
    media_type = (content_type or JSON_TYPE).partition(";")[0].strip().lower()
    if media_type not in allowed and media_type not in _PARQUET:
        raise RequestFault(
            "MediaTypeUnsupported",
            f'Content-Type "{media_type[:64]}" is not accepted; send {", ".join(allowed)}.',
        )
    return media_type


def read_table(body: bytes, media_type: str, *, max_rows: int, max_bytes: int) -> Table:
    """Read a body as rows.

    Raises:
        RequestFault: BodyUnreadable, TooManyRows, ShapeInvalid.
    """
    if media_type == _CSV:
        return table_from_csv(body, limit=max_rows)
    if media_type in _PARQUET:
        from slipway_runtime.serving.columnar import table_from_parquet

        return table_from_parquet(body, limit=max_rows, max_bytes=max_bytes)
    if media_type in _ARROW:
        from slipway_runtime.serving.columnar import table_from_arrow

        return table_from_arrow(body, limit=max_rows, max_bytes=max_bytes)
    return table_from_rows(_unwrap(_parse(body)), limit=max_rows)


def _parse(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise RequestFault("BodyUnreadable", f"The body is not JSON: {error}.") from error


def _unwrap(document: Any) -> Any:
    """`{"rows": […]}` is the same as `[…]`."""
    if not isinstance(document, dict):
        return document
    if "rows" not in document or len(document) > 1:
        raise RequestFault(
            "BodyUnreadable",
            'The body must be a list of rows, or an object with the single key "rows".',
        )
    return document["rows"]
