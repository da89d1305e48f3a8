"""Palmer penguins: which species is it? Numbers and text, with holes in both.

The table (344 penguins; Gorman, Williams and Fraser 2014) ships inside the package
`palmerpenguins`.
"""

from pathlib import Path

import joblib
import pandas as pd
from palmerpenguins import load_penguins
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

HERE = Path(__file__).parent
NUMBERS = ["bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g"]
TEXTS = ["island", "sex"]

penguins = load_penguins()

X_train, X_test, y_train, y_test = train_test_split(
    penguins[TEXTS + NUMBERS],
    penguins["species"],
    test_size=0.2,
    random_state=0,
    stratify=penguins["species"],
)

model = make_pipeline(
    ColumnTransformer(
        [
            (
                "text",
                make_pipeline(
                    SimpleImputer(strategy="most_frequent"),
                    OneHotEncoder(handle_unknown="ignore"),
                ),
                TEXTS,
            ),
            ("number", make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), NUMBERS),
        ]
    ),
    LogisticRegression(max_iter=1000),
)
model.fit(X_train, y_train)

joblib.dump(model, HERE / "model.joblib")
X_train.to_csv(HERE / "samples.csv", index=False)
incomplete = X_test.isna().any(axis=1)
rows = pd.concat([X_test[~incomplete].head(6), X_test[incomplete].head(2)])
rows.to_csv(HERE / "rows.csv", index=False)
print(f"penguins: model.joblib, accuracy {model.score(X_test, y_test):.3f} on {len(X_test)} rows")
