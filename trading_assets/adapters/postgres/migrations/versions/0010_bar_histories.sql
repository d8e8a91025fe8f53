-- Bars once more, packed: one row a symbol, timeframe and year. Derived from market.bars and never wrong: whatever changes
-- there deletes here, in the same transaction.

create table market.bar_histories (
    symbol       text               not null,
    timeframe    text               not null,
    year         integer            not null,
    settled_at   timestamptz        not null,
    ts           timestamptz[]      not null,
    closes_at    timestamptz[]      not null,
    session_date date[]             not null,
    open         double precision[] not null,
    high         double precision[] not null,
    low          double precision[] not null,
    close        double precision[] not null,
    volume       double precision[] not null,
    source       text,
    sources      text[],
    primary key (symbol, timeframe, year),
    check ((source is null) <> (sources is null)),
    check (cardinality(ts) > 0),
    check (cardinality(ts) = all (array[cardinality(closes_at), cardinality(session_date), cardinality(open),
        cardinality(high), cardinality(low), cardinality(close), cardinality(volume),
        coalesce(cardinality(sources), cardinality(ts))]))
);
-- Compression halves the size again, and more than doubles the time of packing.
alter table market.bar_histories
    alter column ts set storage external,
    alter column closes_at set storage external,
    alter column session_date set storage external,
    alter column open set storage external,
    alter column high set storage external,
    alter column low set storage external,
    alter column close set storage external,
    alter column volume set storage external;
comment on table market.bar_histories is
    'A cache for reading years of bars at once: the newest version of each bar of a year, in order of ts. Made by pack_histories.';
comment on column market.bar_histories.year is 'Of ts, in UTC.';
comment on column market.bar_histories.settled_at is
    'From this moment on all stored versions of the year''s bars count, so that the newest ones are what is known.';
comment on column market.bar_histories.source is 'Of all bars of the year; null when they differ, then sources has one for each.';

create view market.packed_bars as
    select h.symbol, h.timeframe, bar.ts, bar.closes_at, bar.session_date, bar.open, bar.high, bar.low, bar.close, bar.volume,
           coalesce(h.source, bar.source) as source
    from market.bar_histories as h
    cross join lateral unnest(h.ts, h.closes_at, h.session_date, h.open, h.high, h.low, h.close, h.volume, h.sources)
        as bar(ts, closes_at, session_date, open, high, low, close, volume, source);
comment on view market.packed_bars is 'market.bar_histories as rows.';

create function market.forget_histories() returns trigger language plpgsql as $$
begin
    -- Waits for whoever is packing, who then has committed before the next statement looks for what to delete.
    perform pg_advisory_xact_lock(hashtext('market.bars'));
    if tg_op = 'INSERT' and current_setting('trading.forgets_histories', true) = 'by_itself' then
        return null;
    end if;
    if current_setting('transaction_isolation') <> 'read committed' then
        raise exception 'market.bars can be changed at isolation level read committed only, not %',
            current_setting('transaction_isolation')
            using hint = 'An older snapshot would not show the packed histories that have to be deleted.';
    end if;
    delete from market.bar_histories;
    return null;
end $$;
comment on function market.forget_histories is
    'Deletes every packed history, unless the writer says that it deletes those whose bars it changes (store_bars).';

create trigger forget_histories after insert or update or delete or truncate on market.bars
    for each statement execute function market.forget_histories();
alter table market.bars enable always trigger forget_histories;
