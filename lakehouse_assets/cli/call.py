"""What every verb is told: the lake, the datasets, and how to talk."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated

import typer

from lakehouse_assets.cli.codes import WRONG_USAGE

if TYPE_CHECKING:
    from lakehouse_assets.lake import Dataset, Lake

_PANEL = "Options of every command"


class WrongUsage(typer.TyperException):
    """A call that cannot be meant; the message says how to put it."""

    exit_code = WRONG_USAGE


@dataclass
class Call:
    """One call of the command, with the options that may stand before and after a verb."""

    uri: str | None = None
    datasets: list[str] = field(default_factory=list)
    as_json: bool = False
    quiet: bool = False
    verbosity: int = 0

    def take(
        self,
        dataset: Annotated[
            list[str] | None,
            typer.Option("--dataset", "-d", metavar="NAME", help="The dataset.", rich_help_panel=_PANEL),
        ] = None,
        uri: Annotated[
            str | None,
            typer.Option(
                metavar="URI",
                help="The lake: a folder or an object store's URL. Default: LAKEHOUSE_URI, else ./data.",
                rich_help_panel=_PANEL,
            ),
        ] = None,
        as_json: Annotated[
            bool, typer.Option("--json", help="Print the result as one JSON object.", rich_help_panel=_PANEL)
        ] = False,
        quiet: Annotated[
            bool, typer.Option("--quiet", "-q", help="Only results and errors.", rich_help_panel=_PANEL)
        ] = False,
        verbose: Annotated[
            int,
            typer.Option(
                "--verbose",
                "-v",
                count=True,
                show_default=False,
                help="Tell what happens; -vv also details and tracebacks.",
                rich_help_panel=_PANEL,
            ),
        ] = 0,
    ) -> None:
        """Take in the options of one level; what stands later on the line wins."""
        self.datasets = list(dict.fromkeys(dataset)) if dataset else self.datasets
        self.uri = uri if uri is not None else self.uri
        self.as_json = self.as_json or as_json
        self.quiet = self.quiet or quiet
        self.verbosity += verbose

    def lake(self) -> "Lake":
        """The lake that is meant."""
        from lakehouse_assets.lake import Lake

        return Lake(self.uri)

    def dataset_name(self) -> str:
        """The name of the one dataset that is meant; wrong usage when there is none or another."""
        if not self.datasets:
            msg = "which dataset? Add -d NAME; `lakehouse dataset ls` lists them"
            raise WrongUsage(msg)
        if len(self.datasets) > 1:
            msg = f"one dataset is meant here, not {', '.join(self.datasets)}"
            raise WrongUsage(msg)
        return self.datasets[0]

    def dataset(self) -> "Dataset":
        """The one dataset that is meant."""
        name = self.dataset_name()
        return self.lake().dataset(name)
