"""Two versions, segments or stretches of time of one model, side by side.

stretch.py      which windows a stretch of time is made of
pooling.py      the values of a stretch from those of its windows, where that is exact
intervals.py    intervals of shares and of differences, and what is beyond noise among many
comparison.py   the differences of two sides
reader.py       reads the windows, in a thread of its own
"""
