"""Credentials of the tests."""

KEY = "lake-key"
SECRET = "hush-this-is-the-secret-key"
TOKEN = "hush-this-is-the-session-token"

WRONG = "wrong-key"
"""A key that the server does not know."""
