"""Wine, by a sketch of all products of columns: no converter knows `PolynomialCountSketch`, so
Slipway serves the original.

The answer says so: `get -o wide` shows the runtime Native, and `describe` the reason.
"""

from pathlib import Path

import joblib
from sklearn.datasets import load_wine
from sklearn.kernel_approximation import PolynomialCountSketch
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

HERE = Path(__file__).parent

data = load_wine(as_frame=True)
cultivar = data.target.map({0: "Barolo", 1: "Grignolino", 2: "Barbera"})
X_train, X_test, y_train, y_test = train_test_split(
    data.data, cultivar, test_size=0.2, random_state=0, stratify=cultivar
)

model = make_pipeline(
    StandardScaler(),
    PolynomialCountSketch(n_components=64, random_state=0),
    LogisticRegression(max_iter=1000),
)
model.fit(X_train, y_train)

joblib.dump(model, HERE / "model.joblib")
X_train.to_csv(HERE / "samples.csv", index=False)
X_test.head(8).to_csv(HERE / "rows.csv", index=False)
print(f"custom: model.joblib, accuracy {model.score(X_test, y_test):.3f} on {len(X_test)} rows")
