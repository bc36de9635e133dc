"""An asset of a user's own that goes on where its last run got to."""

from collections.abc import Callable

import dagster as dg
import pytest

from lakehouse_assets.defs.build import build_definitions
from lakehouse_assets.defs.resources import LakeResource
from lakehouse_assets.defs.states import StateResource, build_state_check
from lakehouse_assets.lake import Dataset, Lake

DATASETS = dg.DynamicPartitionsDefinition(name="dataset")


class Orders(dg.Config):
    source: list[int]
    fail_at: int = 0


@dg.asset(partitions_def=DATASETS)
def orders(
    context: dg.AssetExecutionContext, config: Orders, states: StateResource
) -> dg.MaterializeResult[None]:
    with states.session(context, "orders") as session:
        read = []
        for number in config.source:
            if number <= int(str(session.state.get("last", 0))):
                continue
            if number == config.fail_at:
                raise RuntimeError("the source is gone")
            read.append(number)
            session.state["last"] = number
            session.update()
    return dg.MaterializeResult(metadata={**session.metadata, "read": read})


@dg.job
def idle() -> None:
    pass


orders_check = build_state_check(orders, job="orders", partitions_def=DATASETS)


@pytest.fixture
def run(lake: Lake, acme: Dataset, instance: dg.DagsterInstance) -> Callable[..., dg.ExecuteInProcessResult]:
    instance.add_dynamic_partitions("dataset", ["acme"])

    def materialize(source: range, fail_at: int = 0) -> dg.ExecuteInProcessResult:
        return dg.materialize(
            [orders],
            partition_key="acme",
            instance=instance,
            resources={"states": StateResource(lake=LakeResource(uri=lake.uri))},
            run_config={"ops": {"orders": {"config": {"source": list(source), "fail_at": fail_at}}}},
            raise_on_error=False,
        )

    return materialize


@pytest.fixture
def check(lake: Lake, instance: dg.DagsterInstance) -> Callable[[], dg.AssetCheckEvaluation]:
    defs = dg.Definitions(
        assets=[orders],
        asset_checks=[orders_check],
        jobs=[dg.define_asset_job("look", selection=dg.AssetSelection.checks(orders_check))],
        resources={"states": StateResource(lake=LakeResource(uri=lake.uri))},
    )

    def evaluate() -> dg.AssetCheckEvaluation:
        job = defs.resolve_job_def("look")
        result = job.execute_in_process(instance=instance, tags={"dagster/partition": "acme"})
        return result.get_asset_check_evaluations()[0]

    return evaluate


def test_an_asset_goes_on_where_its_last_run_completed(
    run: Callable[..., dg.ExecuteInProcessResult],
    acme: Dataset,
    latest: Callable[..., dg.AssetMaterialization],
) -> None:
    assert run(range(1, 4)).success
    result = run(range(1, 6))
    assert result.success
    state = acme.states.get_or_create("orders")
    assert (state["last"], state.status, state.run_id) == (5, "completed", result.run_id)
    metadata = latest("orders").metadata
    assert metadata["read"].value == [4, 5]
    assert (metadata["state_generation"].value, metadata["state_hash"].value) == (
        state.generation,
        state.hash,
    )


def test_a_run_after_a_failed_one_goes_on_where_that_got_to_and_the_check_tells(
    run: Callable[..., dg.ExecuteInProcessResult],
    check: Callable[[], dg.AssetCheckEvaluation],
    acme: Dataset,
    latest: Callable[..., dg.AssetMaterialization],
) -> None:
    assert check().passed
    failed = run(range(1, 6), fail_at=3)
    assert not failed.success
    assert acme.states.get_or_create("orders").interrupted
    told = check()
    assert (told.passed, told.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert "left half done" in str(told.description)
    assert told.metadata["written_by"].value == failed.run_id
    assert run(range(1, 6)).success
    assert latest("orders").metadata["read"].value == [3, 4, 5]
    assert check().passed


def test_a_state_of_a_run_that_still_works_is_no_warning(
    check: Callable[[], dg.AssetCheckEvaluation], acme: Dataset, instance: dg.DagsterInstance
) -> None:
    instance.add_dynamic_partitions("dataset", ["acme"])
    active = instance.create_run_for_job(idle)
    with acme.states.session("orders", run_id=active.run_id) as state:
        acme.states.update(state)
        assert check().passed


def test_a_state_that_cannot_be_read_is_an_error(
    run: Callable[..., dg.ExecuteInProcessResult], check: Callable[[], dg.AssetCheckEvaluation], acme: Dataset
) -> None:
    acme.location.write("state/orders_completed.json", b"{")
    assert not run(range(3)).success
    told = check()
    assert (told.passed, told.severity) == (False, dg.AssetCheckSeverity.ERROR)
    assert "orders_completed.json is not the state of 'orders'" in str(told.description)


def test_a_project_gets_the_states_with_the_lake(lake: Lake, acme: Dataset) -> None:
    @dg.op
    def nightly(context: dg.OpExecutionContext, states: StateResource) -> None:
        with states.session(context, "nightly") as session:
            session.state["ran"] = True

    @dg.job
    def nightly_job() -> None:
        nightly()

    project = dg.Definitions.merge(build_definitions(lake.uri), dg.Definitions(jobs=[nightly_job]))
    assert project.resolve_job_def("nightly_job").execute_in_process().success
    assert lake.states.get_or_create("nightly")["ran"] is True
