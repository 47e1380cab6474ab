"""Many predictions that wait for their labels: what they cost, and what an outcome among them costs.

load.py         the events: predictions that wait, ordinary traffic, outcomes
measured.py     a run of the pipeline to the end of its topics, and what it took
expiring.py     all of them expire at once, while events come
"""
