"""The BentoML service of a model that is served as it is.

Here the model is opened in BentoML's own worker process, as in any Bento: who runs `bentoml serve`
trusts the model. Slipway's own server opens it shut in, in another process.
"""

from pathlib import Path
from typing import Any

from slipway_runtime.bento.service import Predict, make_predict, make_service, read_manifest
from slipway_runtime.native.model import NativeModel
from slipway_runtime.serving.core.schema import compile_schema


def make_native_service(folder: Path) -> Any:
    """The service of the original model in `folder`; the file is opened when it starts."""
    manifest = read_manifest(folder)
    schema = compile_schema(manifest)

    def start() -> Predict:
        model = NativeModel(folder, manifest, unpickle="Sandboxed")
        return make_predict(manifest, schema=schema, session=model, missing_text=None)

    return make_service(schema, start)
