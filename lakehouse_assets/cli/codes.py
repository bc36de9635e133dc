"""How a call ends."""

DONE = 0
FAILED = 1
WRONG_USAGE = 2
DONE_WITH_ERRORS = 3
"""Done, but some lines or files were left out, and counted."""
INTERRUPTED = 130
