"""Making a dataset: every export that is not fresh, and the index last."""

from collections.abc import Mapping

from lakehouse_assets import layout
from lakehouse_assets.exports.registry import EXPORTS
from lakehouse_assets.model.job import DatasetJob
from lakehouse_assets.model.times import now_utc
from lakehouse_assets.operations.base import DatasetJobOperation
from lakehouse_assets.operations.delegating import asset_config
from lakehouse_assets.operations.diffs import DiffJob
from lakehouse_assets.operations.exports import OPERATIONS, DiffedExportJob, ExportJob
from lakehouse_assets.operations.flush import flush
from lakehouse_assets.remote.launch import MAKE, Launch
from lakehouse_assets.storage.jobs import JobRun

Summary = dict[
    str, int | float | str | bool | list[str] | dict[str, int | list[str]] | dict[str, dict[str, int | str]]
]


class MakeJob(DatasetJob):
    """
    A make; `artifacts` has for each export its rows, bytes, digest, seconds and whether it was skipped.

    With `assertions` off it publishes even if pipeline.yml asserts something else of the statements;
    `failed_assertions` says what then did not hold.
    """

    artifacts: dict[str, Summary] = {}
    assertions: bool = True
    failed_assertions: list[str] = []
    skipped: bool = False
    seconds: float = 0.0


class MakeOperation(DatasetJobOperation[MakeJob]):
    """Walks through all exports; each skips itself when it is fresh."""

    target = layout.TAG_MAKE

    # of a make that is delegated: the jobs that Dagster was asked to do
    _steps: Mapping[str, ExportJob] = {}
    _diffs: Mapping[str, DiffJob] = {}

    def waits(self) -> bool:
        """Whether something waits in the journal."""
        return bool(self.parts.store.journal.waiting())

    def prepare(self, **kwargs: object) -> None:
        """Flush the journal."""
        flush(self.parts)

    def is_fresh(self) -> bool:
        """Whether every step is."""
        self.job.artifacts = {}
        for name, (job, operation) in OPERATIONS.items():
            step = operation(job.make(dataset=self.job.dataset), repositories=self.parts)
            if not step.is_fresh():
                return False
            step.skip()
            self.job.artifacts[name] = _summary(step.job)
        return True

    def skip(self) -> None:
        """Note that all was fresh."""
        super().skip()
        self.job.skipped = True

    def launch(self, force: bool) -> Launch:
        """The job of Dagster that makes all of it; each step has a record of its own."""
        self.job.touch()
        dataset = self.job.dataset
        self._steps = {
            name: job.make(dataset=dataset, assertions=self.job.assertions)
            for name, (job, _) in OPERATIONS.items()
        }
        self._diffs = {
            name: DiffJob.make(dataset=dataset, artifact=name) for name in ("entities", "documents")
        }
        config = {EXPORTS[name].asset: asset_config(job, force=force) for name, job in self._steps.items()}
        config |= {f"{name}_diff": asset_config(job) for name, job in self._diffs.items()}
        return Launch(job=MAKE, config=config)

    def collect(self) -> bool:
        """Put the record together from those of the steps."""
        job = self.job
        with self.jobs.run(job):
            for name, step_job in self._steps.items():
                step = OPERATIONS[name][1](step_job, repositories=self.parts)
                if not step.collect():
                    return False
                job.artifacts[name] = _summary(step_job)
                if (diff := self._diffs.get(name)) and (found := self.jobs.get(DiffJob, diff.run_id)):
                    job.artifacts[name]["diffs"] = found.diffs
                job.seconds += step_job.seconds
            failed = (each for step_job in self._steps.values() for each in step_job.failed_assertions)
            job.failed_assertions = list(dict.fromkeys(failed))
            job.done = len(self._steps)
        if job.started is not None:
            self.tags.set(self.get_target(), job.started)
        return True

    def handle(self, run: JobRun[MakeJob], *args: object, **kwargs: object) -> None:
        """Run the steps in order; `force` is passed on to each."""
        job = run.job
        began = now_utc()
        force = bool(kwargs.get("force"))
        job.artifacts = {}
        failed: dict[str, None] = {}
        for number, (name, (step_job, operation)) in enumerate(OPERATIONS.items()):
            run.progress(number, len(OPERATIONS) - number)
            step = operation(
                step_job.make(dataset=job.dataset, assertions=job.assertions),
                repositories=self.parts,
                progress=self.progress,
            )
            done = step.run(force=force, update_index=False, flush=False)
            job.artifacts[name] = _summary(done)
            failed.update(dict.fromkeys(done.failed_assertions))
        job.failed_assertions = list(failed)
        job.done, job.pending = len(OPERATIONS), 0
        job.seconds = (now_utc() - began).total_seconds()


def _summary(job: ExportJob) -> Summary:
    return {
        "rows": job.rows,
        "bytes": job.bytes,
        "digest": job.digest,
        "seconds": job.seconds,
        "skipped": job.skipped,
        "path": job.path,
        "notes": job.notes,
        "failed_assertions": job.failed_assertions,
        **({"diffs": job.diffs} if isinstance(job, DiffedExportJob) else {}),
    }
