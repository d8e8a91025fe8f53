-- Whether our ledger and a broker's records say the same of an account: every comparison, and what came of it.

create table execution.reconciliations (
    reconciliation_id bigint      primary key generated always as identity,
    account_id        text        not null references execution.accounts,
    trigger           text        not null
        check (trigger in ('start', 'stream', 'open_orders', 'interval', 'after_close', 'demand')),
    cut_at            timestamptz not null,
    session_date      date        not null,
    asked_since       timestamptz not null,
    began_at          timestamptz not null,
    ended_at          timestamptz not null check (ended_at >= began_at),
    clock_skew_ms     integer     not null,
    order_count       integer     not null,
    record_count      integer     not null,
    position_count    integer     not null,
    booked_count      integer     not null,
    followed_count    integer     not null,
    adopted_count     integer     not null,
    break_count       integer     not null,
    explained         jsonb       not null default '[]',
    ours_sha256       bytea       not null check (length(ours_sha256) = 32),
    theirs_sha256     bytea       not null check (length(theirs_sha256) = 32),
    is_clean          boolean     not null,
    recorded_at       timestamptz not null default clock_timestamp(),
    check (is_clean or break_count > 0)
);
create index reconciliations_by_account on execution.reconciliations (account_id, reconciliation_id desc);
create index reconciliations_by_session on execution.reconciliations (account_id, session_date);
call ops.make_append_only('execution.reconciliations');
comment on table execution.reconciliations is
    'One row a comparison of our ledger with a broker''s records, written when it has ended, with all its breaks.';
comment on column execution.reconciliations.cut_at is 'By the broker''s clock, read before its records were.';
comment on column execution.reconciliations.asked_since is 'Orders submitted later than this were compared, and all that were open.';
comment on column execution.reconciliations.began_at is 'By the clock of the graph, which a rehearsal sets.';
comment on column execution.reconciliations.clock_skew_ms is 'Our clock less the broker''s.';
comment on column execution.reconciliations.booked_count is 'Executions and activities that the broker had recorded and we had not.';
comment on column execution.reconciliations.followed_count is 'Moves of our orders to what the broker said of them.';
comment on column execution.reconciliations.adopted_count is 'Orders of others, or whose write was lost, that were taken into the record.';
comment on column execution.reconciliations.explained is 'Differences whose cause is known and which go away by themselves.';
comment on column execution.reconciliations.ours_sha256 is 'Of our side of the comparison: the same for the same facts.';
comment on column execution.reconciliations.is_clean is 'No break, or only such as a person had accepted by then.';

create table execution.breaks (
    reconciliation_id bigint  not null references execution.reconciliations,
    break_id          text    not null check (length(break_id) = 64),
    kind              text    not null,
    subject           text    not null,
    symbol            text,
    ours              text    not null,
    theirs            text    not null,
    remedy            text    not null,
    is_account_wide   boolean not null,
    primary key (reconciliation_id, break_id),
    check (is_account_wide or symbol is not null)
);
call ops.make_append_only('execution.breaks');
comment on table execution.breaks is 'What was left that the two sides did not agree on, after everything was done that needs no person.';
comment on column execution.breaks.break_id is 'The same break has the same one, and so has the adjustment for it.';
comment on column execution.breaks.is_account_wide is 'While it is open nothing new is opened in the whole account.';

create table execution.adjustments (
    account_id   text        not null references execution.accounts,
    break_id     text        not null,
    kind         text        not null,
    at           timestamptz not null,
    adjusted_by  text        not null check (length(trim(adjusted_by)) > 0),
    why          text        not null check (length(trim(why)) > 0),
    activity_ids text[]      not null,
    recorded_at  timestamptz not null default clock_timestamp(),
    primary key (account_id, break_id)
);
call ops.make_append_only('execution.adjustments');
comment on table execution.adjustments is 'What a person did about a break: once, whoever repeats it.';
comment on column execution.adjustments.activity_ids is
    'What was booked in execution.activities. Empty: the break was accepted as it is; booked, the next comparison has to agree.';

create view execution.newest_reconciliations as
    select distinct on (account_id) *
    from execution.reconciliations
    order by account_id, reconciliation_id desc;

create view execution.open_breaks as
    select newest.account_id, newest.cut_at, breaks.*
    from execution.newest_reconciliations as newest
    join execution.breaks using (reconciliation_id)
    where not exists (
        select from execution.adjustments
        where adjustments.account_id = newest.account_id
          and adjustments.break_id = breaks.break_id
          and adjustments.activity_ids = '{}'
    );
comment on view execution.open_breaks is 'The breaks of each account''s newest comparison that nobody has accepted.';
