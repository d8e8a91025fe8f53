-- Which code of a strategy persons let trade on paper and live.

create table strategy.promotions (
    strategy         text        not null,
    strategy_version text        not null,
    source_sha256    text        not null check (source_sha256 ~ '^[0-9a-f]{64}$'),
    stage            text        not null check (stage in ('paper', 'live')),
    evidence         jsonb       not null,
    promoted_by      text        not null check (promoted_by <> ''),
    why              text        not null check (why <> ''),
    promoted_at      timestamptz not null default clock_timestamp(),
    primary key (strategy, strategy_version, stage, promoted_at)
);
call ops.make_append_only('strategy.promotions');
comment on table strategy.promotions is
    'Who let which version and source of a strategy trade at a stage. Only exactly these may; research needs no row.';
comment on column strategy.promotions.source_sha256 is 'Of the files that define the class of the strategy.';
comment on column strategy.promotions.evidence is
    'The rows of strategy.proofs (proof, proved_at) and strategy.backtests (backtest_id) of this version at that time.';
