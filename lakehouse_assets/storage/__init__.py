"""Bytes at a location: files, digests, tags, leases, versions and records."""
