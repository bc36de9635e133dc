"""`state`: how far jobs got, as they wrote it down themselves."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

from lakehouse_assets.cli import humane, output
from lakehouse_assets.cli.call import Call
from lakehouse_assets.cli.codes import DONE, DONE_WITH_ERRORS
from lakehouse_assets.cli.verb import verb, verb_group
from lakehouse_assets.errors import NotFound, StateCorrupt
from lakehouse_assets.model.times import from_iso

if TYPE_CHECKING:
    from lakehouse_assets.state import StateData, StateStore

verbs = typer.Typer()
group = verb_group(
    verbs,
    "state",
    about="Show how far jobs got, and set them back; of the lake's own jobs without -d.",
    example="lakehouse state ls -d eu_list",
)

Job = Annotated[
    str, typer.Argument(metavar="JOB", help="The name of the job, as `lakehouse state ls` shows it.")
]


@verb(group, "ls", example="lakehouse state ls -d eu_list")
def list_states(call: Call) -> int:
    """
    List the jobs that keep a state; exit code 3 when one cannot be read.

    A generation is one write of it. A job is unfinished while it runs, and after it crashed.
    """
    store = _store(call)
    found = [(job, _read(store, job)) for job in store.jobs()]
    errors = [state for _, state in found if isinstance(state, StateCorrupt)]
    if call.as_json:
        output.document({**_place(call), "states": [_document(job, state) for job, state in found]})
    else:
        columns = ["job", "state", "generation", "keys", "written"]
        output.table(columns, (_row(job, state) for job, state in found), numbers=("generation", "keys"))
        for error in errors:
            output.warn(str(error))
    return DONE_WITH_ERRORS if errors else DONE


@verb(group, "show", example="lakehouse state show -d eu_list crawl")
def show(
    call: Call,
    job: Job,
    completed: Annotated[
        bool, typer.Option("--completed", help="The last completed one, also while the job runs.")
    ] = False,
) -> None:
    """Print the state of a job: when which run wrote it, and its keys and values as JSON."""
    store = _store(call)
    state = store.last_completed(job) if completed else store.get_or_create(job)
    if state is None and job in store.jobs():
        msg = f"{job!r} was never completed; `lakehouse state show` without --completed prints what it wrote so far"
        raise NotFound(msg)
    if state is None or state.status == "new":
        raise _missing(call, store, job)
    if call.as_json:
        output.document({**_place(call), **_document(job, state), "data": state.to_dict()})
        return
    output.line(_sentence(job, state))
    output.line(json.dumps(state.to_dict(), indent=2, sort_keys=True, ensure_ascii=False))


@verb(group, "complete", example="lakehouse state complete -d eu_list crawl")
def complete(call: Call, job: Job) -> None:
    """Take what an unfinished job wrote for complete, so that others rely on it."""
    store = _store(call)
    state = store.get_or_create(job)
    if state.status == "new":
        raise _missing(call, store, job)
    store.complete(state)
    _told(call, job, state)


@verb(group, "rollback", example="lakehouse state rollback -d eu_list crawl")
def rollback(call: Call, job: Job) -> None:
    """Drop what a job wrote since it last completed, also what cannot be read: it starts again from there."""
    store = _store(call)
    if job not in store.jobs():
        raise _missing(call, store, job)
    _told(call, job, store.rollback(job))


@verb(group, "reset", example="lakehouse state reset -d eu_list crawl")
def reset(call: Call, job: Job) -> None:
    """Forget the state of a job, also one that cannot be read: it starts from nothing."""
    store = _store(call)
    if not store.reset(job):
        raise _missing(call, store, job)
    _told(call, job, store.get_or_create(job))


def _store(call: Call) -> "StateStore":
    return call.dataset().states if call.datasets else call.lake().states


def _place(call: Call) -> dict[str, object]:
    return {"dataset": call.dataset_name() if call.datasets else None}


def _read(store: "StateStore", job: str) -> "StateData | StateCorrupt":
    try:
        return store.get_or_create(job)
    except StateCorrupt as exc:
        return exc


def _document(job: str, state: "StateData | StateCorrupt") -> dict[str, object]:
    if isinstance(state, StateCorrupt):
        return {"job": job, "status": "corrupt", "path": state.path, "error": str(state)}
    names = ("job", "status", "interrupted", "generation", "epoch", "run_id", "updated_at", "hash")
    return {name: getattr(state, name) for name in names} | {"keys": len(state)}


def _row(job: str, state: "StateData | StateCorrupt") -> list[str]:
    if isinstance(state, StateCorrupt):
        return [job, "corrupt", "", "", ""]
    told = "unfinished" if state.interrupted else state.status
    return [job, told, humane.count(state.generation), humane.count(len(state)), _moment(state)]


def _told(call: Call, job: str, state: "StateData") -> None:
    """Where a job is now."""
    if call.as_json:
        output.document({**_place(call), **_document(job, state)})
    else:
        output.line(_sentence(job, state))


def _sentence(job: str, state: "StateData") -> str:
    if state.status == "new":
        return f"{job}: no state, it starts from nothing"
    told = "unfinished" if state.interrupted else "completed"
    run = f" by run {state.run_id}" if state.run_id else ""
    written = f", written {_moment(state)}{run}" if state.updated_at else ", written by hand"
    return output.visible(f"{job}: {told}, generation {humane.count(state.generation)}{written}")


def _moment(state: "StateData") -> str:
    at = from_iso(state.updated_at)
    return f"{at:%Y-%m-%d %H:%M:%S}Z" if at is not None else ""


def _missing(call: Call, store: "StateStore", job: str) -> NotFound:
    where = f" -d {call.dataset_name()}" if call.datasets else ""
    msg = f"{job!r} has no state in {store.uri}; `lakehouse state ls{where}` lists the jobs that have one"
    return NotFound(msg)
