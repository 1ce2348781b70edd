"""`python -m tests.sequences`: the judge of sequences proves itself."""

from tests.sequences.campaign import main

main()
