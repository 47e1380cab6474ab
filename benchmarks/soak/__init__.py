"""Weeks of load in minutes, to see whether anything of the pipeline grows that must not.

quantities.py   what is looked at, and how much of it is no growth
growth.py       the rule: flat or growing
processes.py    memory, open files and threads of processes
disk.py         the sizes of stores, database and lake
told.py         what the pipeline says of itself in its log, and how far behind Kafka that is
gaps.py         how long nothing was published
sampler.py      all of these every few seconds
table.py        the table and the JSON file
"""
