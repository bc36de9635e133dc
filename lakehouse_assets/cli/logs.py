"""Logs go to stderr, one line each."""

import logging
import sys

OURS = "lakehouse_assets"


class StderrHandler(logging.Handler):
    """
    Writes records to stderr as it is at that moment.

    A progress bar replaces stderr while it is shown, so that lines do not run into it.
    """

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record."""
        try:
            sys.stderr.write(f"{self.format(record)}\n")
        except (OSError, ValueError):
            self.handleError(record)


def configure(*, quiet: bool, verbosity: int) -> None:
    """Say from which level on records are shown: errors, warnings, what happens, details."""
    level = logging.ERROR if quiet else (logging.WARNING, logging.INFO, logging.DEBUG)[min(verbosity, 2)]
    handler = StderrHandler()
    handler.setFormatter(_Formatter(verbose=verbosity > 0))
    root = logging.getLogger()
    for old in [old for old in root.handlers if isinstance(old, StderrHandler)]:
        root.removeHandler(old)
    root.addHandler(handler)
    # other packages tell in detail what nobody asked for
    root.setLevel(max(level, logging.WARNING))
    logging.getLogger(OURS).setLevel(level)


class _Formatter(logging.Formatter):
    def __init__(self, *, verbose: bool) -> None:
        super().__init__("%(asctime)s %(levelname)s %(message)s" if verbose else "%(levelname)s: %(message)s")
        self.default_msec_format = "%s.%03d"

    def format(self, record: logging.LogRecord) -> str:
        record.levelname = record.levelname.lower()
        return super().format(record)
