"""What is true of token logits: log-probabilities of tokens and of sequences, and the loss from there, exact and certified."""

from oracle.sequence.certified import Tile, gradient_tiles, masked_logps, sequence_logps, summed_tokens, token_logps
from oracle.sequence.computable import Computable
from oracle.sequence.definitions import loss, margin, sequence_logp, slope, token_gradient, token_logp

__all__ = [
    "Computable",
    "Tile",
    "gradient_tiles",
    "loss",
    "margin",
    "masked_logps",
    "sequence_logp",
    "sequence_logps",
    "slope",
    "summed_tokens",
    "token_gradient",
    "token_logp",
    "token_logps",
]
