"""`python -m tests.sequences`: the judge of sequences proves itself."""

from tests.sequences.campaign import main

if __name__ == "__main__":
    main()
