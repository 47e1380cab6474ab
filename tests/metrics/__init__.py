"""The metrics of panes, against SciPy, scikit-learn, published tables and a slow computation over raw events."""
