"""How Control Tower itself is: what the health page shows.

report.py    what the page is told
checks.py    the judgement: what is well, and what is not
letters.py   the newest dead letters, and how many there are by reason
lag.py       how far Kafka's logs go beyond what the pipeline has taken
watch.py     the thread that looks at all of these
"""
