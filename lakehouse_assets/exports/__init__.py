"""What is made from the statements: one module per artifact."""
