"""dbt models and tests as a Dagster step on a real database."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest

from trading_assets.adapters.dbt import DbtProject
from trading_assets.adapters.errors import Unreachable
from trading_assets.adapters.postgres.database import Database
from trading_assets.defs.analytics.dbt import dbt_models


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dg.AssetsDefinition:
    return dbt_models(DbtProject(target=tmp_path_factory.mktemp("dbt")))


def test_build_materialises_every_model_and_reports_row_counts(ledger: Database, models: dg.AssetsDefinition) -> None:
    run = dg.materialize([models], resources={"database": ledger})
    counts = {
        event.asset_key.path[-1]: event.step_materialization_data.materialization.metadata.get("dagster/row_count")
        for event in run.get_asset_materialization_events()
    }
    assert set(counts) == {key.path[-1] for key in models.keys}
    assert counts["fct_daily_equity"].value == 90
    assert all(evaluation.passed for evaluation in run.get_asset_check_evaluations())
    assert len(run.get_asset_check_evaluations()) == len(list(models.check_specs))


def test_broken_identity_fails_the_run_and_names_itself(ledger: Database, models: dg.AssetsDefinition) -> None:
    with ledger.transaction() as connection:
        connection.execute("set local session_replication_role = replica")
        connection.execute(
            "update execution.equity set fees_usd = fees_usd + 1 where at = (select max(at) from execution.equity)"
        )
    run = dg.materialize([models], resources={"database": ledger}, raise_on_error=False)
    with ledger.transaction() as connection:
        connection.execute(
            "update execution.equity set fees_usd = fees_usd - 1 where at = (select max(at) from execution.equity)"
        )
    assert not run.success
    assert (
        "equity_is_flows_and_profit_less_fees" in run.failure_data_for_node("dbt_models").user_failure_data.description
    )
    red = {evaluation.check_name for evaluation in run.get_asset_check_evaluations() if not evaluation.passed}
    assert red == {"equity_is_flows_and_profit_less_fees"}


def test_one_selected_model_builds_alone(ledger: Database, models: dg.AssetsDefinition) -> None:
    run = dg.materialize([models], selection=["analytics/dim_accounts"], resources={"database": ledger})
    assert [event.asset_key.path[-1] for event in run.get_asset_materialization_events()] == ["dim_accounts"]


def test_build_without_a_database_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(Unreachable, match="does not answer"):
        DbtProject(target=tmp_path).build("postgresql://nobody@127.0.0.1:1/nothing")
