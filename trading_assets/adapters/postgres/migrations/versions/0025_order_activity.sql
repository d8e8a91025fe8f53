-- What persons forbid to trade. How much an account trades is counted from its orders, which need no table of their own.

create table risk.restrictions (
    symbol      text        not null,
    event_no    integer     not null generated always as identity,
    kind        text        not null check (kind in ('restricted', 'watched', 'free')),
    at          timestamptz not null,
    set_by      text        not null check (length(trim(set_by)) > 0),
    why         text        not null check (length(trim(why)) > 0),
    recorded_at timestamptz not null default clock_timestamp(),
    primary key (symbol, event_no)
);
call ops.make_append_only('risk.restrictions');
comment on table risk.restrictions is
    'Restricted list (nobody trades it) and watch list (nothing new is opened), as persons changed them. The last word on a symbol holds.';
comment on column risk.restrictions.kind is 'free: on neither list any longer.';
comment on column risk.restrictions.at is 'By the clock of the graph, which a rehearsal sets: decisions and submissions from then on obey.';

create view risk.restricted_symbols as
    select * from (
        select distinct on (symbol) symbol, kind, at, set_by, why
        from risk.restrictions
        order by symbol, at desc, event_no desc
    ) as newest
    where kind <> 'free';
comment on view risk.restricted_symbols is 'What is on a list now. The lists of trading.yaml come on top.';
