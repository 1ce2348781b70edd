"""What a run leaves: the record, its digests, the names of its grades, where it was made."""
