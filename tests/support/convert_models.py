"""Real tables and a build of one model, for the tests of conversion, parity and contracts."""

from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import onnxruntime
import pandas as pd
from numpy.typing import NDArray
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from slipway_runtime.artifact.manifest import Manifest, load_manifest
from slipway_runtime.build_request import BuildRequest, Model
from slipway_runtime.convert.step import run_convert

NUMBERS = ["bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g"]
TEXTS = ["island", "sex"]
_TYPES = {"FP32": np.float32, "FP64": np.float64, "INT64": np.int64, "BOOL": np.bool_}


@cache
def penguins() -> pd.DataFrame:
    """Palmer penguins: text categories and missing values in text and numbers."""
    source = resources.files("palmerpenguins") / "data" / "penguins.csv"
    return pd.read_csv(str(source))


def penguin_columns(texts: Any = None, **numbers: Any) -> ColumnTransformer:
    """The usual preparation; `texts` takes the text columns, keywords go to the imputer."""
    if texts is None:
        texts = make_pipeline(
            SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore")
        )
    fill = SimpleImputer(strategy="median", **numbers)
    return ColumnTransformer(
        [("n", make_pipeline(fill, StandardScaler()), NUMBERS), ("t", texts, TEXTS)]
    )


def penguin_pipeline(texts: Any = None, end: Any = None, **numbers: Any) -> Pipeline:
    """The preparation and a classifier, fitted on the penguins."""
    table = penguins()
    if end is None:
        end = LogisticRegression(max_iter=1000)
    model = Pipeline([("columns", penguin_columns(texts, **numbers)), ("end", end)])
    return model.fit(table[NUMBERS + TEXTS], table["species"])


@cache
def penguin_model() -> Pipeline:
    return penguin_pipeline()


@dataclass(frozen=True, kw_only=True)
class Build:
    """A finished `convert` step."""

    manifest: Manifest
    folder: Path

    def answer(self, rows: Any) -> dict[str, NDArray[Any]]:
        """Ask the converted model with onnxruntime alone, by the manifest's signature.

        Columns are found by name; a matrix (or other names) has them in the contract's order.
        """
        table = rows if isinstance(rows, pd.DataFrame) else pd.DataFrame(np.asarray(rows))
        names = [column.name for column in self.manifest.contract.columns]
        if not set(names) <= set(table.columns):
            table = table.set_axis(names, axis="columns")
        session = onnxruntime.InferenceSession(
            self.folder / "model.onnx", providers=["CPUExecutionProvider"]
        )
        feeds: dict[str, NDArray[Any]] = {}
        for tensor in self.manifest.signature.inputs:
            values = table[list(tensor.columns)].to_numpy(dtype=object)
            if tensor.datatype == "BYTES":
                values = np.where(pd.isna(values), "", values).astype(str)
            feeds[tensor.name] = values.astype(_TYPES.get(tensor.datatype, object))
        outputs = [output.name for output in self.manifest.signature.outputs]
        return dict(zip(outputs, session.run(outputs, feeds), strict=True))


def lay_out(folder: Path, model: object, samples: pd.DataFrame | None = None) -> Path:
    """Write the work folder as `fetch` leaves it; a model is an estimator, a file or its bytes."""
    place = folder / "fetched" / "model"
    place.mkdir(parents=True)
    if isinstance(model, Path):
        (place / model.name).write_bytes(model.read_bytes())
    elif isinstance(model, bytes):
        (place / "model").write_bytes(model)
    else:
        joblib.dump(model, place / "model.joblib")
    if samples is not None:
        (folder / "fetched" / "samples").mkdir()
        samples.to_csv(folder / "fetched" / "samples" / "samples.csv", index=False)
    return folder


def request(**fields: Any) -> BuildRequest:
    return BuildRequest(
        name="m",
        namespace="default",
        build_hash="0" * 10,
        model=Model(uri="https://user:secret@models.example/m.joblib?token=x", **fields),
    )


def build(folder: Path, model: object, samples: pd.DataFrame | None = None, **fields: Any) -> Build:
    """Convert a model as the `convert` step does."""
    return build_fetched(lay_out(folder, model, samples), **fields)


def build_fetched(work: Path, **fields: Any) -> Build:
    """Convert what lies in `work/fetched`."""
    run_convert(request(**fields), work)
    return Build(
        manifest=load_manifest(work / "converted" / "manifest.json"), folder=work / "converted"
    )
