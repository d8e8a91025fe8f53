"""The dbt project as assets: one a model, one check a test, sources joined to the assets that write them.

The specs come from what dbt said about the project (adapters/dbt.py), so that loading the graph loads neither dbt nor
dagster_dbt; the run itself calls dbt in the process of the step.
"""

from collections.abc import Mapping
from typing import Any

import dagster as dg

from trading_assets.adapters.dbt import DbtProject, NodeResult
from trading_assets.adapters.postgres.database import Database

GROUP = "analytics"
DBT_POOL = "dbt"
Node = Mapping[str, Any]


def dbt_models(project: DbtProject | None = None) -> dg.AssetsDefinition:
    """Every model and every test of the project as one step; any part of it may be selected."""
    project = project or DbtProject()
    nodes = project.nodes()
    models = {uid: node for uid, node in nodes.items() if node["resource_type"] == "model"}
    tests = {uid: node for uid, node in nodes.items() if node["resource_type"] == "test"}
    asset_keys = {uid: asset_key(node) for uid, node in nodes.items() if uid not in tests}
    check_keys = {uid: _check_key(node, nodes, asset_keys) for uid, node in tests.items()}

    @dg.multi_asset(
        name="dbt_models",
        specs=[_asset_spec(node, asset_keys) for node in models.values()],
        check_specs=[_check_spec(check_keys[uid], node, asset_keys) for uid, node in tests.items()],
        can_subset=True,
        pool=DBT_POOL,
        op_tags={"kind": "dbt"},
    )
    def build_models(context, database: dg.ResourceParam[Database]):
        chosen = [models[uid]["name"] for uid in models if asset_keys[uid] in context.selected_asset_keys]
        chosen += [tests[uid]["name"] for uid in tests if check_keys[uid] in context.selected_asset_check_keys]
        is_everything = len(chosen) == len(models) + len(tests)
        results = project.build(database.url, select=() if is_everything else chosen)
        for result in results:
            if result.unique_id in check_keys and result.status != "skipped":
                yield _check_result(check_keys[result.unique_id], result)
            elif result.unique_id in models and result.is_ok:
                yield _materialization(asset_keys[result.unique_id], result)
        _fail_on_red(results, nodes)

    return build_models


def asset_key(node: Node) -> dg.AssetKey:
    """Schema and name of a model or source; a source says in meta.dagster.asset_key which other asset writes it."""
    dagster_meta = _dagster_meta(node)
    if "asset_key" in dagster_meta:
        return dg.AssetKey(dagster_meta["asset_key"])
    return dg.AssetKey([node["schema"], node.get("identifier") or node["name"]])


def _dagster_meta(node: Node) -> Mapping[str, Any]:
    meta = node.get("config", {}).get("meta") or node.get("meta") or {}
    found: Mapping[str, Any] = meta.get("dagster", {})
    return found


def _asset_spec(node: Node, asset_keys: Mapping[str, dg.AssetKey]) -> dg.AssetSpec:
    metadata: dict[str, Any] = {"dagster/table_name": f"{node['schema']}.{node['name']}"}
    if node["columns"]:
        metadata["dagster/column_schema"] = dg.TableSchema(
            [dg.TableColumn(c["name"], c["data_type"], c["description"]) for c in node["columns"].values()]
        )
    return dg.AssetSpec(
        key=asset_key(node),
        deps=sorted({asset_keys[parent] for parent in node["parents"]}),
        description=f"{node['description']}\n\n```sql\n{node['raw_code']}\n```",
        metadata=metadata,
        code_version=node["checksum"]["checksum"],
        kinds={"dbt", "postgres", node["config"]["materialized"]},
        group_name=GROUP,
    )


def _check_key(node: Node, nodes: Mapping[str, Node], asset_keys: Mapping[str, dg.AssetKey]) -> dg.AssetCheckKey:
    """A generic test belongs to the model it is written at; a singular test names its model in meta.dagster.ref."""
    attached = node.get("attached_node")
    if attached is None:
        name = _dagster_meta(node)["ref"]["name"]
        attached = next(uid for uid in node["parents"] if nodes[uid]["name"] == name)
    return dg.AssetCheckKey(asset_keys[attached], node["name"])


def _check_spec(key: dg.AssetCheckKey, node: Node, asset_keys: Mapping[str, dg.AssetKey]) -> dg.AssetCheckSpec:
    return dg.AssetCheckSpec(
        name=key.name,
        asset=key.asset_key,
        description=f"{node['description']}\n\n```sql\n{node['raw_code']}\n```".strip(),
        additional_deps=sorted({asset_keys[parent] for parent in node["parents"]} - {key.asset_key}),
    )


def _materialization(key: dg.AssetKey, result: NodeResult) -> dg.MaterializeResult:
    metadata: dict[str, Any] = {"seconds": result.seconds}
    if result.row_count is not None:
        metadata["dagster/row_count"] = result.row_count
    return dg.MaterializeResult(asset_key=key, metadata=metadata)


def _check_result(key: dg.AssetCheckKey, result: NodeResult) -> dg.AssetCheckResult:
    metadata: dict[str, Any] = {"status": result.status, "seconds": result.seconds}
    if result.failures:
        metadata["failing_rows"] = result.failures
        metadata["query"] = dg.MetadataValue.md(f"```sql\n{result.compiled_sql}\n```")
    return dg.AssetCheckResult(
        check_name=key.name,
        asset_key=key.asset_key,
        passed=result.is_ok,
        severity=dg.AssetCheckSeverity.WARN if result.status == "warn" else dg.AssetCheckSeverity.ERROR,
        description=result.message or None,
        metadata=metadata,
    )


def _fail_on_red(results: list[NodeResult], nodes: Mapping[str, Node]) -> None:
    """A broken identity or model fails the run, and names itself; dbt has withheld everything downstream of it."""
    red = [result for result in results if result.status in {"error", "fail", "runtime error"}]
    if not red:
        return
    withheld = sum(result.status == "skipped" for result in results)
    lines = [f"{nodes[result.unique_id]['name']}: {result.message}" for result in red]
    raise dg.Failure(
        f"dbt: {len(red)} of {len(results)} models and tests failed, {withheld} downstream were withheld. "
        + "; ".join(lines),
        allow_retries=False,
    )
