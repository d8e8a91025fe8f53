-- Which source proofs and backtests are of, and how many trials came before those of a sweep.

alter table strategy.proofs add column source_sha256 text check (source_sha256 ~ '^[0-9a-f]{64}$');
comment on column strategy.proofs.source_sha256 is
    'Of the files that define the class that was proven. Null: proven before sources were kept, which proves nothing now.';
create index proofs_by_source on strategy.proofs (strategy, strategy_version, source_sha256);

alter table strategy.backtests add column sources jsonb not null default '{}';
comment on column strategy.backtests.sources is 'SHA-256 of the files that define each strategy, by its name.';

alter table strategy.sweeps add column earlier_trials integer not null default 0 check (earlier_trials >= 0);
comment on column strategy.sweeps.earlier_trials is
    'Other configurations of the same strategies that were tried before: the deflated Sharpe ratios count them too.';
