"""The statement store: a Delta table that keeps every claim with its origin."""
