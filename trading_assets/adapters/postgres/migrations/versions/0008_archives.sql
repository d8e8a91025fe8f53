-- What was moved out of the database into files, and the only way in which recorded rows may leave it.

create table ops.archivable_tables (
    table_name     text   primary key,
    time_column    text   not null,
    key_columns    text[] not null,
    emptied_column text
);
comment on table ops.archivable_tables is
    'Tables whose months may be moved into files. How long their rows stay is said in trading.yaml.';
comment on column ops.archivable_tables.time_column is 'Its month in UTC decides the file of a row.';
comment on column ops.archivable_tables.emptied_column is
    'Set: rows stay, for others refer to them, and only this column is emptied. Null: whole rows leave.';
insert into ops.archivable_tables (table_name, time_column, key_columns, emptied_column) values
    ('market.vendor_responses', 'received_at', '{response_id}', 'body_gzip'),
    ('market.quarantined_rows', 'quarantined_at', '{response_id, section, position}', null),
    ('market.bars', 'ts', '{symbol, timeframe, ts, version}', null),
    ('ops.events', 'occurred_at', '{event_no}', null);

create table ops.archives (
    archive_id      bigint      generated always as identity primary key,
    table_name      text        not null references ops.archivable_tables,
    month           date        not null check (extract(day from month) = 1),
    part            smallint    not null default 1 check (part > 0),
    path            text        not null unique,
    file_bytes      bigint      not null check (file_bytes > 0),
    file_sha256     bytea       not null check (length(file_sha256) = 32),
    manifest_sha256 bytea       not null check (length(manifest_sha256) = 32),
    row_count       bigint      not null check (row_count > 0),
    rows_sha256     bytea       not null check (length(rows_sha256) = 32),
    columns         jsonb       not null,
    key_range       jsonb       not null,
    verified_at     timestamptz not null default clock_timestamp(),
    unique (table_name, month, part)
);
call ops.make_append_only('ops.archives');
comment on table ops.archives is
    'Files that were read back and found to hold the rows, to the last bit. Without a row here nothing can be removed.';
comment on column ops.archives.part is 'Above 1 when rows of a month came in after the month was archived.';
comment on column ops.archives.path is 'Relative to the archive folder. The manifest lies beside the file, as .json.';
comment on column ops.archives.rows_sha256 is 'ops.rows_sha256 over the columns named here.';
comment on column ops.archives.key_range is 'Smallest and greatest value of each key column.';

create table ops.archive_moves (
    archive_id bigint      not null references ops.archives,
    move_no    smallint    not null,
    move       text        not null check (move in ('removed', 'restored')),
    row_count  bigint      not null check (row_count > 0),
    moved_at   timestamptz not null default clock_timestamp(),
    primary key (archive_id, move_no)
);
call ops.make_append_only('ops.archive_moves');

create view ops.archive_states as
    select distinct on (a.archive_id) a.*, coalesce(m.move, 'recorded') as state, m.moved_at
    from ops.archives as a
    left join ops.archive_moves as m using (archive_id)
    order by a.archive_id, m.move_no desc;
comment on view ops.archive_states is
    'Recorded: in a file and in the database. Removed: in the file only. Restored: in both again.';

alter table market.vendor_responses alter column body_gzip drop not null;
alter table market.vendor_responses add column archived_in bigint references ops.archives;
alter table market.vendor_responses
    add constraint body_is_here_or_archived check ((body_gzip is null) = (archived_in is not null));
create index vendor_responses_by_received_at on market.vendor_responses (received_at);
comment on column market.vendor_responses.archived_in is
    'The archive that holds body_gzip, which is null here then. `trading archive restore` brings it back.';


create function ops.rows_sha256(source regclass, columns text[], condition text default 'true')
returns table (row_count bigint, rows_sha256 bytea) language plpgsql stable
set timezone = 'UTC' set datestyle = 'ISO, YMD' set intervalstyle = 'iso_8601' set bytea_output = 'hex'
set extra_float_digits = 1 as $$
declare
    list text := (select string_agg(quote_ident(name), ', ' order by place) from unnest(columns) with ordinality as named(name, place));
begin
    return query execute format(
        'select count(*), sha256(coalesce(string_agg(hash, ''''::bytea order by hash), ''''::bytea)) '
        'from (select sha256(convert_to(row(%s)::text, ''UTF8'')) as hash from %s where %s) as hashed',
        list, source, condition);
end $$;
comment on function ops.rows_sha256 is
    'Of the rows as a set, over their text, which PostgreSQL writes so that it reads back as the same value.';

create function ops.archive_condition(target text, in_month date) returns text language sql stable as $$
    select format('%1$I >= %2$L and %1$I < %3$L', time_column,
                  in_month::timestamp at time zone 'UTC', (in_month + interval '1 month') at time zone 'UTC')
        || case when emptied_column is null then '' else format(' and %I is not null', emptied_column) end
    from ops.archivable_tables where table_name = target
$$;
comment on function ops.archive_condition is 'Which rows of a table are those of a month and can still be moved.';

create function ops.held_sessions() returns table (session_date date, symbol text, reason text) language sql stable as $$
    select session_date, symbol, 'order ' || client_order_id || ' is open'
    from execution.order_states where not is_terminal
    union all
    select session_date, null, 'breaker ' || breaker || ' of account ' || account_id || ' is tripped'
    from risk.breakers where state = 'tripped'
    union all
    select session_date, symbol, 'the gate of ' || dataset || ' for ' || symbol || ' is ' || state
    from ops.quality_gates where state <> 'open'
$$;
comment on function ops.held_sessions is 'Sessions that somebody still has to look at: what they refer to stays. Symbol null: all.';

create function ops.archive_hold(target text, in_month date) returns text language plpgsql stable as $$
declare
    begins_at timestamptz := in_month::timestamp at time zone 'UTC';
    ends_at   timestamptz := (in_month + interval '1 month') at time zone 'UTC';
    why       text;
begin
    if target = 'ops.events' then
        -- The newest event numbers the next one, and a relay goes on behind the one it announced last.
        select 'event ' || event_no || ' is the newest or was not announced yet' into why from ops.events
        where occurred_at < ends_at and event_no > (
            select least(max(newest.event_no) - 1, (select min(relays.event_no) from ops.event_relays as relays))
            from ops.events as newest)
        order by event_no limit 1;
        return why;
    end if;
    select reason || ' since session ' || session_date into why from ops.held_sessions()
    where session_date >= in_month and session_date < in_month + interval '1 month'
    order by session_date, reason limit 1;
    if why is null and target in ('market.vendor_responses', 'market.quarantined_rows') then
        select held.reason || ' since session ' || held.session_date into why
        from ops.held_sessions() as held
        join market.bars on bars.session_date = held.session_date and bars.symbol = coalesce(held.symbol, bars.symbol)
        join market.vendor_responses as answers using (response_id)
        where answers.received_at >= begins_at and answers.received_at < ends_at
        order by held.session_date, held.reason limit 1;
    end if;
    return why;
end $$;
comment on function ops.archive_hold is 'Why a month of a table has to stay in the database; null when it may leave.';

create function ops.remove_archived(archive bigint) returns bigint language plpgsql set lock_timeout = '10s' as $$
declare
    held    ops.archives;
    kind    ops.archivable_tables;
    present record;
    why     text;
    which   text;
    moved   bigint;
begin
    perform pg_advisory_xact_lock(hashtext('ops.archives'));
    select * into held from ops.archives where archive_id = archive;
    if not found then
        raise exception 'no verified archive % is recorded: nothing was removed', archive
            using errcode = 'integrity_constraint_violation';
    end if;
    select * into kind from ops.archivable_tables where table_name = held.table_name;
    why := ops.archive_hold(held.table_name, held.month);
    if why is not null then
        raise exception '% of % stays: %', to_char(held.month, 'YYYY-MM'), held.table_name, why
            using errcode = 'integrity_constraint_violation';
    end if;
    -- First what whoever stores takes first. Then nobody writes until the commit, and nobody sees the trigger disabled.
    perform pg_advisory_xact_lock(hashtext(held.table_name));
    execute format('lock table %s in share row exclusive mode', held.table_name::regclass);
    which := ops.archive_condition(held.table_name, held.month);
    select * into present from ops.rows_sha256(
        held.table_name::regclass, (select array_agg(c ->> 'name') from jsonb_array_elements(held.columns) as c), which);
    if present.row_count = 0 then
        return 0;
    end if;
    if (present.row_count, present.rows_sha256) is distinct from (held.row_count, held.rows_sha256) then
        raise exception '% of % is not what archive % holds: nothing was removed',
            to_char(held.month, 'YYYY-MM'), held.table_name, archive
            using errcode = 'integrity_constraint_violation',
                  detail = format('%s rows with hash %s, archived are %s rows with hash %s', present.row_count,
                                  encode(present.rows_sha256, 'hex'), held.row_count, encode(held.rows_sha256, 'hex'));
    end if;
    execute format('alter table %s disable trigger append_only', held.table_name::regclass);
    if kind.emptied_column is null then
        execute format('delete from %s where %s', held.table_name::regclass, which);
    else
        execute format('update %s set %I = null, archived_in = $1 where %s',
                       held.table_name::regclass, kind.emptied_column, which) using archive;
    end if;
    get diagnostics moved = row_count;
    execute format('alter table %s enable trigger append_only', held.table_name::regclass);
    insert into ops.archive_moves (archive_id, move_no, move, row_count)
    select archive, count(*) + 1, 'removed', moved from ops.archive_moves where archive_id = archive;
    return moved;
end $$;
comment on function ops.remove_archived is
    'The only way in which rows of an append-only table leave: those that a verified archive holds, exactly.';

create function ops.restore_archived(archive bigint, staged regclass) returns bigint language plpgsql set lock_timeout = '10s' as $$
declare
    held    ops.archives;
    kind    ops.archivable_tables;
    present record;
    names   text[];
    list    text;
    keys    text;
    moved   bigint;
begin
    perform pg_advisory_xact_lock(hashtext('ops.archives'));
    select * into strict held from ops.archives where archive_id = archive;
    select * into strict kind from ops.archivable_tables where table_name = held.table_name;
    select array_agg(c ->> 'name'), string_agg(quote_ident(c ->> 'name'), ', ')
    into names, list from jsonb_array_elements(held.columns) as c;
    select string_agg(quote_ident(name), ', ') into keys from unnest(kind.key_columns) as name;
    select * into present from ops.rows_sha256(staged, names);
    if (present.row_count, present.rows_sha256) is distinct from (held.row_count, held.rows_sha256) then
        raise exception 'the rows to restore are not those of archive %: nothing was restored', archive
            using errcode = 'integrity_constraint_violation',
                  detail = format('%s rows with hash %s, archived are %s rows with hash %s', present.row_count,
                                  encode(present.rows_sha256, 'hex'), held.row_count, encode(held.rows_sha256, 'hex'));
    end if;
    perform pg_advisory_xact_lock(hashtext(held.table_name));
    if kind.emptied_column is null then
        execute format('insert into %s (%s) overriding system value select %s from %s on conflict do nothing',
                       held.table_name::regclass, list, list, staged);
        get diagnostics moved = row_count;
    else
        execute format('lock table %s in share row exclusive mode', held.table_name::regclass);
        execute format('alter table %s disable trigger append_only', held.table_name::regclass);
        execute format('update %1$s as kept set %2$I = staged.%2$I, archived_in = null from %3$s as staged '
                       'where (%4$s) = (%5$s) and kept.%2$I is null',
                       held.table_name::regclass, kind.emptied_column, staged,
                       (select string_agg(format('kept.%I', name), ', ') from unnest(kind.key_columns) as name),
                       (select string_agg(format('staged.%I', name), ', ') from unnest(kind.key_columns) as name));
        get diagnostics moved = row_count;
        execute format('alter table %s enable trigger append_only', held.table_name::regclass);
    end if;
    select * into present from ops.rows_sha256(
        held.table_name::regclass, names, format('(%s) in (select %s from %s)', keys, keys, staged));
    if (present.row_count, present.rows_sha256) is distinct from (held.row_count, held.rows_sha256) then
        raise exception 'other rows stand in % in the place of those of archive %: nothing was restored',
            held.table_name, archive
            using errcode = 'integrity_constraint_violation',
                  hint = 'They were stored after the archive was made: look at both before you decide.';
    end if;
    if moved > 0 then
        insert into ops.archive_moves (archive_id, move_no, move, row_count)
        select archive, count(*) + 1, 'restored', moved from ops.archive_moves where archive_id = archive;
    end if;
    return moved;
end $$;
comment on function ops.restore_archived is
    'Puts rows back as they were; a second time changes nothing. Raises when staged rows or those in place are others.';
