"""Seeded chaos against the real processes, judged by the batch oracle."""
