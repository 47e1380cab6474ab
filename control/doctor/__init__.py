"""`tower doctor`: what is checked, and how a mend is said.

findings.py   what a check returns, and its text
machine.py    Python, packages, Java, the clock, the disk
kafka.py      the broker and the topics
limits.py     which limits on names are reached
checks.py     all of them, in order
"""
