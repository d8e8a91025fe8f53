"""The invariants of the ledger as asset checks: after each close, and whenever execution/reconciliation is launched."""

from collections.abc import Iterator

import dagster as dg

from trading_assets.adapters.postgres.database import Database
from trading_assets.adapters.postgres.invariants import INVARIANTS, Invariant, count_rows, violations
from trading_assets.defs.execution.reconciliation import RECONCILIATION


@dg.multi_asset_check(
    name="ledger_invariants",
    specs=[
        dg.AssetCheckSpec(one.name, asset=RECONCILIATION, description=f"{one.number}: {one.description}")
        for one in INVARIANTS
    ],
    compute_kind="postgres",
)
def ledger_invariants(database: dg.ResourceParam[Database]) -> Iterator[dg.AssetCheckResult]:
    with database.transaction() as connection:
        found = [(one, violations(connection, one)) for one in INVARIANTS]
        count_rows(connection)
    for invariant, violating in found:
        yield _result(invariant, violating)


def _result(invariant: Invariant, violating: list[tuple[str, str]]) -> dg.AssetCheckResult:
    records = [dg.TableRecord({"subject": subject, "violation": wrong}) for subject, wrong in violating]
    schema = dg.TableSchema([dg.TableColumn("subject", "string"), dg.TableColumn("violation", "string")])
    return dg.AssetCheckResult(
        asset_key=RECONCILIATION,
        check_name=invariant.name,
        passed=not violating,
        metadata={
            "invariant": invariant.number,
            "violations": dg.MetadataValue.table(records=records, schema=schema),
        },
    )
