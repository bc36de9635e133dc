"""The `lakehouse` command: each verb parses, calls the lake and prints."""

from lakehouse_assets.cli.app import main

__all__ = ["main"]
