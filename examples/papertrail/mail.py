"""E-mails: who wrote to whom, when, what about, and the text."""

from collections.abc import Iterator
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from typing import BinaryIO

from papertrail.texts import MOST_CHARACTERS, Text, text_of_html

_HEADERS = {
    "subject": "Subject",
    "from": "From",
    "sender": "Sender",
    "to": "To",
    "cc": "Cc",
    "bcc": "Bcc",
    "messageId": "Message-ID",
    "inReplyTo": "In-Reply-To",
}
"""Properties of an Email, and the headers that say them."""


def read_mail(stream: BinaryIO) -> Text:
    """The headers and the text of a mail; of a text that is there twice, the plain one."""
    message = BytesParser(policy=policy.default).parse(stream)
    properties = {
        name: [str(value) for value in message.get_all(header, []) if str(value).strip()]
        for name, header in _HEADERS.items()
    }
    properties["date"] = list(_date(message))
    properties["bodyText"] = [text for text in [_text(message)] if text]
    return Text({name: values for name, values in properties.items() if values})


def _date(message: EmailMessage) -> Iterator[str]:
    header = message["Date"]
    found = header.datetime if header is not None else None
    if found is not None:
        yield found.isoformat()


def _text(message: EmailMessage) -> str:
    part = message.get_body(("plain", "html"))
    if part is None:
        return ""
    try:
        content = part.get_content()
    except LookupError:
        # a charset that nobody knows
        content = part.get_payload(decode=True).decode("utf-8", errors="replace")
    text = text_of_html(content) if part.get_content_subtype() == "html" else content
    return text.strip()[:MOST_CHARACTERS]
