"""What the dashboard costs and how soon it shows something; each module is a program.

python -m benchmarks.dashboard.push      100 viewers: processor, memory, and how late they learn of new data
python -m benchmarks.dashboard.visits    twelve hours of viewers who come, go and vanish: is anything left of them?
python -m benchmarks.dashboard.pixel     from a produced event to its pixel in Chromium, under load
python -m benchmarks.dashboard.opening   opening a model with seven days of history
"""
