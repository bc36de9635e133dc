"""`up`: Dagster on a lake."""

from typing import Annotated

import typer

from lakehouse_assets.cli.call import Call
from lakehouse_assets.cli.verb import verb

verbs = typer.Typer()

_PORT = 3000


@verb(verbs, "up", example="lakehouse up --lake ./data --port 3000")
def up(
    call: Call,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Where the web pages are served.")] = _PORT,
    lake: Annotated[str | None, typer.Option(metavar="URI", help="The lake; the same as --uri.")] = None,
) -> int:
    """Run Dagster on this lake until it is stopped."""
    # Dagster takes seconds to load, and no other verb needs all of it
    from lakehouse_assets.defs import instance

    call.uri = lake or call.uri
    return instance.up(call.lake(), port=port)
