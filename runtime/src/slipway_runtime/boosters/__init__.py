"""XGBoost, LightGBM and CatBoost: opened, read as one kind of forest, and written as ONNX."""
