"""Making a dataset: every export that is not fresh, and the index last."""

from lakehouse_assets import layout
from lakehouse_assets.model.job import DatasetJob
from lakehouse_assets.model.times import now_utc
from lakehouse_assets.operations.base import DatasetJobOperation
from lakehouse_assets.operations.exports import OPERATIONS, DiffedExportJob, ExportJob
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
            done = step.run(force=force, update_index=False)
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
