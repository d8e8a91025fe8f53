"""The monthly job over the real graph: what is old leaves, and the run says which files and how many bytes."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import dagster as dg
import pytest

from trading_assets.adapters.postgres.database import Database
from trading_assets.adapters.postgres.vendor_responses import StoredResponses
from trading_assets.adapters.vendor_gateway import VendorResponse
from trading_assets.definitions import defs


def test_job_moves_old_answers_and_reports_files_and_bytes(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", database.url)
    monkeypatch.setenv("TRADING_HOME", str(tmp_path))
    for days in (500, 1):
        at = datetime.now(UTC) - timedelta(days=days)
        StoredResponses(database).store(
            VendorResponse(UUID(int=days), "acme", "bars/1d", {}, "GET", "u", 200, {}, b"{}", at, at)
        )

    result = defs.resolve_job_def("archive_old_data_job").execute_in_process()

    (event,) = result.get_asset_materialization_events()
    metadata = event.materialization.metadata
    (file,) = (tmp_path / "archive").rglob("*.parquet")
    assert metadata["rows_moved"].value == 1
    assert metadata["bytes_written"].value == file.stat().st_size
    assert file.name in str(metadata["months"].value)


def test_schedule_asks_once_a_month_and_waits_to_be_started() -> None:
    (schedule,) = (one for one in defs.get_repository_def().schedule_defs if one.name == "archive_old_data_schedule")
    assert schedule.cron_schedule == "0 3 2 * *"
    assert schedule.default_status == dg.DefaultScheduleStatus.STOPPED
