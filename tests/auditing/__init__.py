"""Logs of right and wrong runs, simulated with the rounding of known trainers: `python -m tests.auditing`."""
