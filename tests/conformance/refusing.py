"""How a command refuses."""

import re


def assert_refused(result, *said):
    """The command was refused, in words and without a traceback."""
    assert result.exit_code == 2, result.output
    assert isinstance(result.exception, SystemExit)
    assert "Traceback" not in result.output
    text = re.sub(r"\s+", " ", result.stderr)
    for part in said:
        assert part in text
