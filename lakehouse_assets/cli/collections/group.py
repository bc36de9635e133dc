"""The group of verbs, and the arguments that several of them take."""

from typing import Annotated

import typer

from lakehouse_assets.cli.verb import verb_group

verbs = typer.Typer()
group = verb_group(
    verbs,
    "collections",
    about="Tables of rows by series, with all their versions: make, fill, read, rename and delete them.",
    example="lakehouse collections ls",
)

Namespace = Annotated[
    str, typer.Option(metavar="NAME", help="Where the labels count; those of others do not matter.")
]
Label = Annotated[str, typer.Argument(metavar="LABEL", show_default=False, help="The collection.")]
Labels = Annotated[list[str], typer.Argument(metavar="LABEL...", show_default=False, help="The collections.")]
