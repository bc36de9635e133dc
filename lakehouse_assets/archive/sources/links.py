"""The links of a web page, as far as they are a folder's listing."""

import hashlib
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urldefrag, urljoin, urlsplit, urlunsplit


@dataclass
class Listing:
    """
    What a folder's page at `url` leads to below itself: whole addresses, each once.

    `queries` are links that ask a program for something, which is no file of a folder. `digest` is that of the page.
    """

    url: str
    digest: str = ""
    files: list[str] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)
    queries: list[str] = field(default_factory=list)

    @property
    def names(self) -> int:
        """A number that differs where the names in the listing differ."""
        return hash(frozenset(link[len(self.url) :] for link in (*self.files, *self.folders)))


def read_listing(url: str, page: bytes, encoding: str | None) -> Listing:
    """
    The links of a page that lead to something below it, of whichever program made the page.

    Example:
        >>> read_listing("http://host/a/", b'<a href="../">up</a><a href="b%20c.txt">b c</a>', None).files
        ['http://host/a/b%20c.txt']
    """
    parser = _Links()
    parser.feed(page.decode(encoding or "utf-8", errors="replace"))
    parser.close()
    found = Listing(url, hashlib.sha256(page).hexdigest())
    seen = set()
    for link in parser.links:
        target = _target(url, link)
        if target is None or target in seen:
            continue
        seen.add(target)
        if "?" in target:
            found.queries.append(target)
        elif target.endswith("/"):
            found.folders.append(target)
        else:
            found.files.append(target)
    return found


def _target(url: str, link: str) -> str | None:
    """The whole address of a link, None when it leads to the page itself or anywhere but below it."""
    try:
        parts = urlsplit(urldefrag(urljoin(url, link.strip())).url)
    except ValueError:
        return None
    base = urlsplit(url)
    # a page does not repeat the name and password that it was asked with
    if (parts.scheme, parts.netloc.rpartition("@")[2]) != (base.scheme, base.netloc.rpartition("@")[2]):
        return None
    below = parts.path.startswith(base.path) and parts.path != base.path
    return urlunsplit(parts._replace(netloc=base.netloc)) if below else None


class _Links(HTMLParser):
    """Collects where the links of a page lead."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            self.links += [value for name, value in attrs if name == "href" and value]
