"""Breast cancer (Wisconsin): malignant or benign? Thirty measures of a tissue sample.

Saved twice: as a joblib pickle, and as skops, which can be read without running code.
"""

from pathlib import Path

import joblib
import skops.io
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import train_test_split

HERE = Path(__file__).parent

data = load_breast_cancer(as_frame=True)
diagnosis = data.target.map(dict(enumerate(data.target_names)))
X_train, X_test, y_train, y_test = train_test_split(
    data.data, diagnosis, test_size=0.2, random_state=0, stratify=diagnosis
)

model = RandomForestClassifier(n_estimators=100, min_samples_leaf=2, random_state=0)
model.fit(X_train, y_train)

joblib.dump(model, HERE / "model.joblib")
skops.io.dump(model, HERE / "model.skops")
X_train.to_parquet(HERE / "samples.parquet", index=False)
X_test.head(8).to_csv(HERE / "rows.csv", index=False)
print(
    "breast_cancer: model.joblib and model.skops, "
    f"accuracy {model.score(X_test, y_test):.3f} on {len(X_test)} rows"
)
