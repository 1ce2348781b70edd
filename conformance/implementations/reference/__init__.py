"""The reference implementations on trial like any other: one file a framework."""
