"""What the tests of the vectors share: the files, read once, and what is generated, made once."""

import pytest

from conformance.vectorgen import folder

from .consumer import read


@pytest.fixture(scope="session")
def files():
    """The files as they are in the repository, by chapter."""
    return {file["chapter"]: file for file in read()}


@pytest.fixture(scope="session")
def generated():
    """The text of every file as it is generated now; it takes a while."""
    return folder.generate()
