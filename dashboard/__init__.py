"""The dashboard: live metrics of all models, in the browser.

`feed` reads the metrics topic and `history` the lake, both into `store`; `board` judges what is
there; a `viewers.Viewer` for each open page pulls what it lacks. `pages` and `widgets` draw.
"""
