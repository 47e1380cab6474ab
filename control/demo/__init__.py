"""`tower demo`: the main job, all of it.

history.py   the simulated days that a home gets once
start.py     the steps from nothing to a live dashboard
"""
