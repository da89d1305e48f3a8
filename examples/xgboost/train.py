"""Which cultivar is the wine of? XGBoost, stopped early, saved in its own format.

A native file keeps no names of classes: the answers are the numbers 0, 1 and 2.
"""

from pathlib import Path

from sklearn.datasets import load_wine
from sklearn.model_selection import train_test_split
from xgboost import XGBClassifier

HERE = Path(__file__).parent

data = load_wine(as_frame=True)
X_train, X_test, y_train, y_test = train_test_split(
    data.data, data.target, test_size=0.3, random_state=0, stratify=data.target
)

model = XGBClassifier(
    n_estimators=200, max_depth=3, learning_rate=0.2, early_stopping_rounds=10, n_jobs=1
)
model.fit(X_train, y_train, eval_set=[(X_test, y_test)], verbose=False)

model.save_model(HERE / "model.ubj")
X_train.to_csv(HERE / "samples.csv", index=False)
X_test.head(8).to_csv(HERE / "rows.csv", index=False)
print(f"xgboost: model.ubj, accuracy {model.score(X_test, y_test):.3f} on {len(X_test)} rows")
