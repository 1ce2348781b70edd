"""For environments that were installed before the plugin had a module of its own name."""

from conformance.testing.plugin.dpo_conformance_pytest import *  # noqa: F403
