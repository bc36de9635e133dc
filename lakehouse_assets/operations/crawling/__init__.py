"""The parts of a crawl: reading files, making entities of them, remembering what was seen, and the report."""
