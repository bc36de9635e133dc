"""`delete`: entities taken back."""

from typing import Annotated

import typer

from lakehouse_assets.cli import humane, output, reporting
from lakehouse_assets.cli.call import Call
from lakehouse_assets.cli.verb import verb

verbs = typer.Typer()


@verb(verbs, "delete", example="lakehouse delete -d eu_list eu-fsf-1")
def delete(
    call: Call,
    ids: Annotated[list[str], typer.Argument(metavar="ID", help="Entities.", show_default=False)],
    origin: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only what this origin says about them.")
    ] = None,
) -> None:
    """
    Delete entities.

    They are gone from every answer at once, and from disk when a merge runs after the grace period. Ids that
    are not there are named, and are no error.
    """
    dataset = call.dataset()
    job = dataset.delete(ids, origin=origin)
    reporting.report(dataset)
    if call.as_json:
        output.document(output.fields(job, "dataset", "entities", "rows", "missing", "errors", "run_id"))
        return
    entities = humane.count(job.entities, "entity", "entities")
    output.line(f"deleted {entities} from {job.dataset}: {humane.count(job.rows, 'statement')}")
    for entity_id in job.missing:
        output.warn(f"no entity {entity_id} in {job.dataset}")
