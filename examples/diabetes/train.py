"""Diabetes: how far has the illness gone after a year? A regression on ten measures, unscaled."""

from pathlib import Path

import joblib
from sklearn.datasets import load_diabetes
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.model_selection import train_test_split

HERE = Path(__file__).parent

data = load_diabetes(as_frame=True, scaled=False)
X_train, X_test, y_train, y_test = train_test_split(
    data.data, data.target, test_size=0.2, random_state=0
)

model = GradientBoostingRegressor(
    n_estimators=150, max_depth=3, learning_rate=0.05, subsample=0.8, random_state=0
)
model.fit(X_train, y_train)

joblib.dump(model, HERE / "model.joblib")
X_train.to_csv(HERE / "samples.csv", index=False)
X_test.head(8).to_csv(HERE / "rows.csv", index=False)
print(f"diabetes: model.joblib, R² {model.score(X_test, y_test):.3f} on {len(X_test)} rows")
