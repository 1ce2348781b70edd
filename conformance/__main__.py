"""`dpo-conformance`, and `python -m conformance`: the command line, which can be interrupted from its first import on."""

import sys


def main() -> None:
    """Run the command line; 130 after Ctrl-C while it is still being imported, as after any other."""
    try:
        from conformance.cli import main as command  # noqa: PLC0415 - what takes long is within the try
    except KeyboardInterrupt:
        sys.exit(130)
    command()


if __name__ == "__main__":
    main()
