"""The losses to take: one short file a framework and purpose, each needing that framework alone, judged by every clause.

`torch`, `numpy`, `jax` have the DPO loss, `sequence_*` log-probabilities from token logits (`sharded_torch` where ranks share
the vocabulary), `losses_*` the other losses. Each may be imported, or copied under the licence that its header names. This
package imports none of them.
"""
