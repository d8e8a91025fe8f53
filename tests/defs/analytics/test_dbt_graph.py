"""The dbt project in the asset graph: lineage joined to the Python assets, cheap to load, red where a test is red."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

from trading_assets.adapters.dbt import PROJECT_DIRECTORY, DbtProject, connection_environment
from trading_assets.adapters.errors import ContractBroken
from trading_assets.defs.analytics.dbt import dbt_models

NODES = DbtProject().nodes()
MARTS = {
    uid: node
    for uid, node in NODES.items()
    if node["original_file_path"].startswith("models/marts/") and node["resource_type"] == "model"
}


def test_sources_join_the_assets_that_write_them() -> None:
    assets = dbt_models()
    keys = {dep.asset_key for spec in assets.specs for dep in spec.deps} - set(assets.keys)
    assert keys == {
        dg.AssetKey(path)
        for path in (
            ["market", "bars"],
            ["market", "financials"],
            ["market", "instruments"],
            ["market", "vendor_comparisons"],
            ["strategy", "backtests"],
            ["strategy", "targets"],
            ["risk", "alerts"],
            ["risk", "approved_orders"],
            ["risk", "portfolio_risk"],
            ["execution", "orders"],
            ["execution", "fills"],
            ["execution", "positions"],
        )
    }


def test_specs_agree_with_those_of_dagster_dbt(tmp_path: Path) -> None:
    from dagster_dbt import DagsterDbtTranslator, DagsterDbtTranslatorSettings
    from dagster_dbt.asset_utils import build_dbt_specs

    manifest = DbtProject(target=tmp_path)._parsed_manifest(tmp_path)
    # The tables of one asset are several sources, which dagster_dbt accepts only when asked to.
    settings = DagsterDbtTranslatorSettings(enable_duplicate_source_asset_keys=True)
    specs, checks = build_dbt_specs(
        translator=DagsterDbtTranslator(settings),
        manifest=manifest,
        select="fqn:*",
        exclude="",
        selector="",
        io_manager_key=None,
        project=None,
    )
    ours = dbt_models()
    theirs = {spec.key.path[-1]: {dep.asset_key.path[-1] for dep in spec.deps} for spec in specs}
    assert {spec.key.path[-1]: {dep.asset_key.path[-1] for dep in spec.deps} for spec in ours.specs} == theirs
    assert {(c.asset_key.path[-1], c.name) for c in ours.check_specs} == {
        (c.asset_key.path[-1], c.name) for c in checks
    }


def test_import_of_the_graph_loads_neither_dbt_nor_dagster_dbt() -> None:
    program = (
        "import sys; from trading_assets.defs.analytics.dbt import dbt_models; dbt_models(); "
        "print([name for name in ('dbt', 'dagster_dbt', 'pandas', 'matplotlib') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", sorted(MARTS))
def test_mart_has_an_enforced_contract_and_describes_every_column(name: str) -> None:
    mart = MARTS[name]
    assert mart["config"]["contract"]["enforced"] is True
    assert mart["config"]["materialized"] == "table"
    assert mart["description"]
    assert [c["name"] for c in mart["columns"].values() if not c["description"] or not c["data_type"]] == []


def test_every_model_and_source_is_described() -> None:
    assert [uid for uid, node in NODES.items() if node["resource_type"] != "test" and not node["description"]] == []


def test_no_secret_is_written_in_the_profile() -> None:
    text = (PROJECT_DIRECTORY / "profiles.yml").read_text()
    assert re.search(r"password: \"\{\{ env_var\('DBT_ENV_SECRET_", text)


def test_changed_project_is_read_again_and_an_unchanged_one_is_not(tmp_path: Path) -> None:
    directory = tmp_path / "dbt_project"
    (directory / "models").mkdir(parents=True)
    for name in ("dbt_project.yml", "profiles.yml"):
        shutil.copy(PROJECT_DIRECTORY / name, directory / name)
    project = DbtProject(directory, directory / "target")
    before = project.sources_hash()
    (directory / "target").mkdir()
    (directory / "target" / "generated.sql").write_text("select 1")
    assert project.sources_hash() == before
    (directory / "models" / "broken.sql").write_text("select * from {{ ref('nowhere') }}")
    assert project.sources_hash() != before
    with pytest.raises(ContractBroken, match="nowhere"):
        project.nodes()
    (directory / "models" / "broken.sql").write_text("select 1 as one")
    assert "model.trading_assets.broken" in project.nodes()


def test_connection_environment_of_a_socket_url_names_its_directory() -> None:
    assert connection_environment("postgresql://me:pw@/ledger?host=/run/pg&port=5433") == {
        "DBT_PG_HOST": "/run/pg",
        "DBT_PG_PORT": "5433",
        "DBT_PG_USER": "me",
        "DBT_ENV_SECRET_PG_PASSWORD": "pw",
        "DBT_PG_DBNAME": "ledger",
    }
