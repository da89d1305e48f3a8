"""Runs in an environment with scikit-learn 1.2.2 and saves a model there (see train.py)."""

import sys
from pathlib import Path

import joblib
from sklearn.datasets import load_wine
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

HERE = Path(sys.argv[1])
wine = load_wine(as_frame=True)
X_train, X_test, y_train, y_test = train_test_split(
    wine.data, wine.target, test_size=0.3, random_state=0, stratify=wine.target
)
model = make_pipeline(StandardScaler(), GradientBoostingClassifier(n_estimators=40, random_state=0))
model.fit(X_train, y_train)

joblib.dump(model, HERE / "model.joblib")
X_train.to_csv(HERE / "samples.csv", index=False)
X_test.head(8).to_csv(HERE / "rows.csv", index=False)
print(
    f"old_sklearn: model.joblib, accuracy {model.score(X_test, y_test):.3f} on {len(X_test)} rows"
)
