"""The loss to take: one short file a framework, each needing that framework alone, judged by every clause of the suite.

`oracle.reference.torch`, `oracle.reference.numpy` and `oracle.reference.jax` may be imported, or copied under the licence that
their headers name. This package imports none of them.
"""
