"""Tests of the vectors: as files, as data that bites, and as data that accuses nobody who is right."""
