-- Whether strategies were proven not to look ahead, and to declare how many bars they need.

create table strategy.proofs (
    strategy         text        not null,
    strategy_version text        not null,
    proof            text        not null
        check (proof in ('decisions_do_not_look_ahead', 'warm_up_is_long_enough')),
    passed           boolean     not null,
    finding          text        not null,
    evidence         jsonb       not null,
    proved_at        timestamptz not null default clock_timestamp(),
    primary key (strategy, strategy_version, proof, proved_at)
);
call ops.make_append_only('strategy.proofs');
comment on table strategy.proofs is
    'What the proofs against look-ahead and short warm-ups found, one row a proof. The newest of a version counts.';
comment on column strategy.proofs.finding is 'In one sentence; of a failure, the first decision that differs.';
comment on column strategy.proofs.evidence is
    'On how many bars of which sessions, how many decisions were compared at how many times, and the first difference.';
