-- What the nightly invariants need: how many rows there ever were. And an open incident keeps its month in the database.

create function ops.append_only_counts() returns table (table_name text, ever_count bigint) language plpgsql stable as $$
declare
    one regclass;
    gone bigint;
begin
    for one in select tgrelid from pg_trigger where tgname = 'append_only' order by tgrelid::regclass::text loop
        table_name := one::text;
        execute format('select count(*) from %s', one) into ever_count;
        select coalesce(sum(case moves.move when 'removed' then moves.row_count else -moves.row_count end), 0) into gone
        from ops.archive_moves as moves
        join ops.archives using (archive_id)
        join ops.archivable_tables as kinds on kinds.table_name = archives.table_name and kinds.emptied_column is null
        where archives.table_name = one::text;
        ever_count := ever_count + gone;
        return next;
    end loop;
end $$;
comment on function ops.append_only_counts is
    'Rows of every table that nothing is deleted from, with those that were moved into archives.';

create table ops.row_counts (
    table_name text        not null,
    counted_at timestamptz not null default clock_timestamp(),
    ever_count bigint      not null check (ever_count >= 0),
    primary key (table_name, counted_at)
);
call ops.make_append_only('ops.row_counts');
comment on table ops.row_counts is 'Counted after each close: a later count is never smaller.';

create or replace function ops.held_sessions() returns table (session_date date, symbol text, reason text) language sql stable as $$
    select session_date, symbol, 'order ' || client_order_id || ' is open'
    from execution.order_states where not is_terminal
    union all
    select session_date, symbol, 'incident ' || kind || ' of ' || subject || ' is open'
    from execution.open_incidents
    union all
    select session_date, null, 'breaker ' || breaker || ' of account ' || account_id || ' is tripped'
    from risk.breakers where state = 'tripped'
    union all
    select session_date, symbol, 'the gate of ' || dataset || ' for ' || symbol || ' is ' || state
    from ops.quality_gates where state <> 'open'
$$;

create view analytics.reconciliations as
    select comparisons.account_id, comparisons.cut_at, comparisons.session_date, comparisons.trigger,
           extract(epoch from comparisons.ended_at - comparisons.began_at) as duration_s, comparisons.clock_skew_ms,
           comparisons.order_count, comparisons.record_count, comparisons.position_count, comparisons.booked_count,
           comparisons.followed_count, comparisons.adopted_count, comparisons.break_count,
           array(select distinct breaks.kind from execution.breaks
                 where breaks.reconciliation_id = comparisons.reconciliation_id order by breaks.kind) as break_kinds,
           comparisons.is_clean
    from execution.reconciliations as comparisons;
comment on view analytics.reconciliations is
    'One row a comparison of a ledger with its broker''s records: what was done, and what kinds of breaks were left.';
