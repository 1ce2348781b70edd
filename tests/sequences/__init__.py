"""Wrong and honest code on token logits, paths and steps: the judge of sequences proves itself on them."""
