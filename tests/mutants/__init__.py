"""Deliberately wrong implementations that the suite must reject, and honest ones that it must never reject."""
