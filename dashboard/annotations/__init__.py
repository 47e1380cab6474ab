"""Annotations: what people and services say happened, shown as spans on the charts.

annotation.py   what one is, and which are accepted
store.py        a SQLite file of the dashboard's
handler.py      the routes by which they are made, changed and removed
"""
