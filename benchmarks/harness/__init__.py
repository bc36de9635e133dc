"""What `run.py` is made of: programs, prepared lakes, measurements, tables."""
