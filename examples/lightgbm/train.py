"""How heavy is the penguin? LightGBM with columns of categories and holes, saved as its text file.

The columns of text are trained on as they are: LightGBM splits on sets of their categories.
"""

from pathlib import Path

from lightgbm import LGBMRegressor
from palmerpenguins import load_penguins
from sklearn.model_selection import train_test_split

HERE = Path(__file__).parent
NUMBERS = ["bill_length_mm", "bill_depth_mm", "flipper_length_mm"]
TEXTS = ["species", "island", "sex"]

penguins = load_penguins().dropna(subset=["body_mass_g"])
rows = penguins[TEXTS + NUMBERS]
X_train, X_test, y_train, y_test = train_test_split(
    rows, penguins["body_mass_g"], test_size=0.2, random_state=0
)

model = LGBMRegressor(
    n_estimators=150, num_leaves=12, learning_rate=0.05, n_jobs=1, verbose=-1, random_state=0
)
kinds = {name: rows[name].astype("category").dtype for name in TEXTS}
model.fit(X_train.astype(kinds), y_train)

model.booster_.save_model(HERE / "model.txt")
X_train.to_csv(HERE / "samples.csv", index=False)
X_test.head(8).to_csv(HERE / "rows.csv", index=False)
score = model.score(X_test.astype(kinds), y_test)
print(f"lightgbm: model.txt, R² {score:.3f} on {len(X_test)} rows")
