"""Mutation testing draws the same examples for every mutant, and does not look for the smallest that fails."""

from hypothesis import Phase, settings

settings.register_profile("mutation", derandomize=True, database=None, phases=[Phase.explicit, Phase.generate])
