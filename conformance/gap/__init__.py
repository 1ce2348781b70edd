"""The gap between log-sigmoid and log-of-sigmoid: where it shows, measured and predicted by models of an implementation."""
