"""Events per second: ours against the raw limits and against what people would use instead, on the same broker and events.

job.py          the simple job that all do: its window, and what a program reports
events.py       the events, written once
expected.py     what the simple job must come to, computed by DuckDB
verdict.py      a candidate's windows against that
process.py      runs a program, bounded in time, and says what it cost
candidate.py    what a candidate is: one interface for all
candidates/     each of them: what it is called, what it needs, how it is run
programs/       what runs in a process of its own, in Python
java/           the same in Java, with the locks of its jars
table.py        the table, the goals, the JSON file
"""
