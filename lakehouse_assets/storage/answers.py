"""What an object store says when it refuses, in words for people: what it is, and what to do."""

import re
from collections.abc import Iterator

# codes of S3, kinds of errors of its client, and words of delta-rs; the first that is found counts
_ADVICE: tuple[tuple[frozenset[str], str], ...] = (
    (frozenset({"NoSuchBucket"}), "make the bucket first, or mend its name: a lake makes none"),
    (
        frozenset(
            {"InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "ExpiredToken", "InvalidClientTokenId"}
        ),
        "check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or the storage options key and secret",
    ),
    (
        frozenset({"NoCredentialsError", "PartialCredentialsError", "169.254.169.254", "CredentialsNotLoaded"}),
        "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give the storage options key and secret",
    ),
    (frozenset({"ProfileNotFound"}), "mend AWS_PROFILE, or add the profile to ~/.aws/config"),
    (
        frozenset({"SSOTokenLoadError", "UnauthorizedSSOTokenError", "TokenRetrievalError"}),
        "log in again: `aws sso login`",
    ),
    (
        frozenset({"AccessDenied", "AllAccessDisabled", "MethodNotAllowed"}),
        "let these credentials read, write, delete and list in this bucket, or take others",
    ),
    (
        frozenset({"NotImplemented", "501"}),
        "take a store, or a version of it, that knows If-None-Match and If-Match when a file is put",
    ),
    # the answer to a HEAD has no words
    (
        frozenset({"403", "403 Forbidden"}),
        "check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or the storage options key and secret, "
        "and what they may do in this bucket",
    ),
    (
        frozenset({"SlowDown", "ServiceUnavailable", "InternalError", "RequestTimeout", "503", "500", "502", "504"}),
        "the store is overloaded; try again later",
    ),
    (
        frozenset(
            {
                "EndpointConnectionError", "ConnectTimeoutError", "ConnectionClosedError", "ReadTimeoutError",
                "HTTPClientError", "ProxyConnectionError", "ConnectionError", "ConnectionRefusedError",
                "IncompleteReadError", "ResponseStreamingError", "ClientPayloadError", "ServerDisconnectedError",
                "error sending request", "operation timed out", "tcp connect error",
            }
        ),
        "see that the store is up and that its endpoint is right (AWS_ENDPOINT_URL, or the option endpoint_url)",
    ),
    (
        frozenset({"SSLError", "invalid peer certificate"}),
        "see that the endpoint's certificate is trusted here (AWS_CA_BUNDLE)",
    ),
)  # fmt: skip
_ELSE = "try again when that is mended"

_CODE = re.compile(r"<Code>\s*([^<\s]+)\s*</Code>")
_MESSAGE = re.compile(r"<Message>\s*([^<]+?)\s*</Message>")
_COLOURS = re.compile(r"\x1b\[[0-9;]*m|↳")


def code_of(exc: BaseException) -> str:
    """The store's own code for an error (`NoSuchBucket`; after a HEAD only a number); empty when it gave none."""
    error: BaseException | None = exc
    while error is not None:
        response = getattr(error, "response", None)
        if isinstance(response, dict) and (code := response.get("Error", {}).get("Code")):
            return str(code)
        error = error.__cause__
    return ""


def is_refused(exc: OSError) -> bool:
    """Whether a request failed for its condition; only AWS names the condition in its answer."""
    return isinstance(exc, FileExistsError) or code_of(exc) in {
        "PreconditionFailed", "ConditionalRequestConflict", "412", "409",
    }  # fmt: skip


def is_of_client(exc: Exception) -> bool:
    """Whether it is an error of the S3 client: those derive from Exception alone."""
    return type(exc).__module__.partition(".")[0] in {"botocore", "aiobotocore", "aiohttp"}


def explain(exc: BaseException) -> str:
    """What an error says, and what to do about it."""
    text = str(exc) or type(exc).__name__
    known = {code_of(exc)} | {kind.__name__ for error in _chain(exc) for kind in type(error).__mro__}
    return f"{text.rstrip('.')}; {_advice(known)}"


def explain_text(text: str) -> str:
    """
    The same for what delta-rs says, which is text alone.

    Example:
        >>> explain_text("Error <Code>NoSuchBucket</Code><Message>No such bucket.</Message>")
        'No such bucket; make the bucket first, or mend its name: a lake makes none'
    """
    plain = " ".join(_COLOURS.sub("", text).split())
    code, message = _CODE.search(plain), _MESSAGE.search(plain)
    known = (
        {code.group(1)} if code else {word for words, _ in _ADVICE for word in words if _says(plain, word)}
    )
    said = message.group(1) if message else plain
    return f"{said.rstrip('.')}; {_advice(known)}"


def _says(text: str, word: str) -> bool:
    """Whether a text holds a word; a number may be a part of another, as in `took 350131 ns`."""
    return (
        re.search(rf"(?<![\w.]){re.escape(word)}(?![\w.]?\w)", text) is not None
        if word.isdecimal()
        else word in text
    )


def _advice(known: set[str]) -> str:
    return next((advice for words, advice in _ADVICE if words & known), _ELSE)


def _chain(exc: BaseException) -> Iterator[BaseException]:
    """An error, and those that led to it."""
    found: BaseException | None = exc
    while found is not None:
        yield found
        found = found.__cause__ or found.__context__
