"""Dagster's storage on PostgreSQL with one planned event an asset or check, where Dagster writes one a partition.

A run over a year of sessions plans 12,000 assets and 12,000 checks otherwise, one insert each, before its first step.
`dagster.yaml` names this class, so that the web page, the daemon and runs all write the same.
"""

from __future__ import annotations

import dagster as dg
from dagster._core.events import AssetMaterializationPlannedData, DagsterEventType
from dagster._core.storage.config import PostgresStorageConfig
from dagster._serdes import ConfigurableClassData
from dagster_postgres.event_log import PostgresEventLogStorage
from dagster_postgres.storage import DagsterPostgresStorage
from dagster_postgres.utils import pg_url_from_config


class RangeEventLog(PostgresEventLogStorage):
    """The event log. A failed run over a range is not marked on each of its partitions: the run says what failed."""

    @property
    def supports_partition_subset_in_asset_materialization_planned_events(self) -> bool:
        return True

    def store_event(self, event: dg.EventLogEntry) -> None:
        super().store_event(_compacted(event))


class RangeStorage(DagsterPostgresStorage):
    """Dagster's three storages on one PostgreSQL, with RangeEventLog as its event log."""

    def __init__(self, postgres_url: str, inst_data: ConfigurableClassData | None = None) -> None:
        super().__init__(postgres_url, inst_data=inst_data)
        self._event_log_storage = RangeEventLog(postgres_url)

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: PostgresStorageConfig
    ) -> RangeStorage:
        return cls(pg_url_from_config(config_value), inst_data)


def _compacted(event: dg.EventLogEntry) -> dg.EventLogEntry:
    """`event`, planned for a check without partitions or for a single partition as Dagster does it elsewhere.

    Dagster gives every planned check the partitions of its run. The checks here have none: their one result would
    never complete what was planned. A single partition is named, so that the web page can show it as failed.
    """
    planned = event.dagster_event
    if planned is None:
        return event
    data = planned.event_specific_data
    if planned.event_type is DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED:
        data = type(data)(asset_key=data.asset_key, check_name=data.check_name)
    elif planned.event_type is DagsterEventType.ASSET_MATERIALIZATION_PLANNED and data.partitions_subset is not None:
        keys = list(data.partitions_subset.get_partition_keys())
        if len(keys) == 1:
            data = AssetMaterializationPlannedData(data.asset_key, partition=keys[0])
    return event._replace(dagster_event=planned._replace(event_specific_data=data))
