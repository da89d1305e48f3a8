"""Digits: which digit was written? 64 pixels without names: a matrix, not a table.

Saved twice: as a joblib pickle, and as ONNX by the data scientist's own hand.
"""

from pathlib import Path

import joblib
import numpy as np
import pandas as pd
from skl2onnx import to_onnx
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

HERE = Path(__file__).parent

pixels, digit = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(
    pixels.astype(np.float32), digit, test_size=0.2, random_state=0, stratify=digit
)

model = make_pipeline(
    MinMaxScaler(), MLPClassifier(hidden_layer_sizes=(32,), max_iter=2000, random_state=0)
)
model.fit(X_train, y_train)

joblib.dump(model, HERE / "model.joblib")
onnx = to_onnx(
    model, X_train[:1], options={"zipmap": False}, target_opset={"": 18, "ai.onnx.ml": 3}
)
(HERE / "model.onnx").write_bytes(onnx.SerializeToString())
names = [f"x{i}" for i in range(pixels.shape[1])]
pd.DataFrame(X_train[:300], columns=names).to_parquet(HERE / "samples.parquet", index=False)
pd.DataFrame(X_test[:8], columns=names).to_csv(HERE / "rows.csv", index=False)
print(
    "digits: model.joblib and model.onnx, "
    f"accuracy {model.score(X_test, y_test):.3f} on {len(X_test)} rows"
)
