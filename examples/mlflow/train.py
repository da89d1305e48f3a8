"""Which penguin is it? A pipeline around XGBoost, saved as an MLflow model directory.

The directory brings its own example rows, and Slipway reads it without MLflow.
"""

import logging
import shutil
from pathlib import Path

import mlflow.sklearn
from mlflow.models import infer_signature
from palmerpenguins import load_penguins
from sklearn import __version__ as sklearn_version
from sklearn.compose import ColumnTransformer
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from xgboost import XGBClassifier
from xgboost import __version__ as xgboost_version

HERE = Path(__file__).parent
NUMBERS = ["bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g"]
TEXTS = ["island", "sex"]

logging.getLogger("mlflow").setLevel(logging.ERROR)  # it warns of every pickle
penguins = load_penguins()
species = penguins["species"].astype("category").cat.codes
X_train, X_test, y_train, y_test = train_test_split(
    penguins[TEXTS + NUMBERS], species, test_size=0.2, random_state=0, stratify=species
)

columns = ColumnTransformer(
    [
        ("text", OneHotEncoder(handle_unknown="ignore"), TEXTS),
        ("number", StandardScaler(), NUMBERS),
    ]
)
model = make_pipeline(columns, XGBClassifier(n_estimators=60, max_depth=3, n_jobs=1))
model.fit(X_train, y_train)

shutil.rmtree(HERE / "model", ignore_errors=True)
mlflow.sklearn.save_model(
    model,
    HERE / "model",
    serialization_format="cloudpickle",
    signature=infer_signature(X_train, model.predict(X_train)),
    input_example=X_train.head(5),
    pip_requirements=[f"scikit-learn=={sklearn_version}", f"xgboost=={xgboost_version}"],
)
X_train.to_csv(HERE / "samples.csv", index=False)
X_test.head(8).to_csv(HERE / "rows.csv", index=False)
print(f"mlflow: model/, accuracy {model.score(X_test, y_test):.3f} on {len(X_test)} rows")
