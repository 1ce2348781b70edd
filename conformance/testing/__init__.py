"""For anyone's own tests: one assertion, and the items of the pytest plugin."""

from conformance.testing.assertion import assert_conforms

__all__ = ["assert_conforms"]
