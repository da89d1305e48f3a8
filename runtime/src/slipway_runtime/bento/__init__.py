"""The BentoML side of a built model. The only package that imports bentoml."""
