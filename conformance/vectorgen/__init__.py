"""The vectors: what is asked (chapters), what is right (by the oracle), and the files in conformance/vectors that say so."""
