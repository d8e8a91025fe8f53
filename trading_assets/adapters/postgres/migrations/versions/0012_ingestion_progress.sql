-- Which parts of a long history have been fetched and stored, so that a run that was killed goes on where it stopped.

create table ops.ingestion_progress (
    chunk_id      bigint      generated always as identity primary key,
    dataset       text        not null,
    source        text        not null,
    timeframe     text        not null,
    symbols       text[]      not null check (cardinality(symbols) > 0),
    first_session date        not null,
    last_session  date        not null check (last_session >= first_session),
    row_count     integer     not null check (row_count >= 0),
    run_id        text        not null,
    finished_at   timestamptz not null default clock_timestamp()
);
create index ingestion_progress_by_time on ops.ingestion_progress (dataset, source, timeframe, first_session, last_session);
comment on table ops.ingestion_progress is
    'Chunks of a vendor''s history that are stored, committed with their rows. Only of sessions of earlier days: those of the day itself are always asked for again.';
comment on column ops.ingestion_progress.source is
    'The configured source with what decides which prices it gives, such as alpaca/iex; a fall-back may have answered.';
comment on column ops.ingestion_progress.row_count is 'Bars that the source gave, whether or not they were new.';
comment on column ops.ingestion_progress.run_id is 'The Dagster run that fetched the chunk.';
