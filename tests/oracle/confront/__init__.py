"""The certified enclosures confronted with Arb: random and adversarial points, and whether one true value escapes.

A confrontation is a function of (rng, count) that draws so many points, asks the oracle and Arb, and gives one `Tally`
a quantity. A new one is a function in a file here and its name in `CONFRONTATIONS` of `shares`.
"""
