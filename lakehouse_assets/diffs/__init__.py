"""What changed from one export to the next: exact, by digests, and kept as files that can be replayed."""
