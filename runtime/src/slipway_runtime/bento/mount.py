"""The BentoML service inside our own server, over the very session that the fast lane uses."""

import os
import tempfile
from collections.abc import Mapping
from typing import Any

from slipway_runtime.serving.core.schema import ModelSchema
from slipway_runtime.serving.core.session import Session


def make_application(
    manifest: Mapping[str, Any], *, schema: ModelSchema, session: Session, missing_text: str | None
) -> Any:
    """Build BentoML's ASGI application (a second or two, tens of megabytes).

    BentoML gets a home of its own, so that nothing of a user's is read or written.
    """
    os.environ["BENTOML_HOME"] = tempfile.mkdtemp(prefix="slipway-bentoml-")
    os.environ["BENTOML_DO_NOT_TRACK"] = "True"
    from slipway_runtime.bento.service import make_predict, make_service

    predict = make_predict(manifest, schema=schema, session=session, missing_text=missing_text)
    return make_service(schema, lambda: predict).to_asgi()
