"""Entities from tables: what a mapping.yml says, the tables it reads, and what becomes of their rows."""
