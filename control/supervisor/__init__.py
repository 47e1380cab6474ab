"""Runs the parts as child processes: starts them again when they die, and stops them all together.

part.py         one part: its process, its log, its backoff
supervisor.py   all parts of a command
readiness.py    when the pipeline has caught up and the dashboard answers
logs.py         the log files: bounded, and followed where the user wants to see a part's own words
"""
