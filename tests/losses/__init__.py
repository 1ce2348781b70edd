"""The mutants of every loss, made from its definition, and its honest spellings: `python -m tests.losses`."""
