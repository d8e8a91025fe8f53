-- What vendors and the broker say beside each other, and halts of trading, which explain bars that are not there.

create table market.broker_sessions (
    source       text        not null,
    session_date date        not null,
    version      smallint    not null default 1,
    opens_at     timestamptz,
    closes_at    timestamptz,
    response_id  bigint      references market.vendor_responses,
    known_at     timestamptz not null default clock_timestamp(),
    primary key (source, session_date, version),
    check ((opens_at is null) = (closes_at is null)),
    check (closes_at > opens_at)
);
create index broker_sessions_by_known_at on market.broker_sessions (known_at);
call ops.make_append_only('market.broker_sessions');
comment on table market.broker_sessions is
    'Every day that the broker was asked about. A changed day is a new version; a day without a row was never asked about.';
comment on column market.broker_sessions.opens_at is 'UTC. Null, like closes_at, on a day without trading.';

create table market.vendor_comparisons (
    vendor          text             not null,
    symbol          text             not null,
    timeframe       text             not null check (timeframe in ('1h', '1d')),
    ts              timestamptz      not null,
    session_date    date             not null,
    outcome         text             not null check (outcome in ('both', 'missing_at_vendor', 'missing_here')),
    source          text,
    open_diff_bps   double precision,
    high_diff_bps   double precision,
    low_diff_bps    double precision,
    close_diff_bps  double precision,
    volume_diff_pct double precision,
    response_id     bigint           references market.vendor_responses,
    compared_at     timestamptz      not null,
    primary key (vendor, symbol, timeframe, ts),
    check ((outcome = 'both') = (close_diff_bps is not null))
);
create index vendor_comparisons_by_session on market.vendor_comparisons (session_date);
comment on table market.vendor_comparisons is
    'Stored bars beside another vendor''s bars of the same symbol, timeframe and start. Comparing again replaces a session''s rows.';
comment on column market.vendor_comparisons.vendor is 'The vendor that was asked beside the source.';
comment on column market.vendor_comparisons.source is 'Where the stored bar came from. Null when it is missing here.';
comment on column market.vendor_comparisons.close_diff_bps is '10,000 x (vendor / stored - 1), as the other prices.';
comment on column market.vendor_comparisons.volume_diff_pct is
    '100 x (vendor / stored - 1). Null when the stored volume is zero.';
comment on column market.vendor_comparisons.response_id is 'The answer with the vendor''s bar. Null when it has none.';

create table market.trading_halts (
    symbol       text        not null,
    halted_at    timestamptz not null,
    version      smallint    not null default 1,
    resumed_at   timestamptz,
    reason       text        not null,
    is_withdrawn boolean     not null default false,
    source       text        not null,
    known_at     timestamptz not null default clock_timestamp(),
    primary key (symbol, halted_at, version),
    check (resumed_at > halted_at)
);
call ops.make_append_only('market.trading_halts');
comment on table market.trading_halts is
    'When a symbol was not traded during a session. A bar that lies in a halt as a whole is no gap. A changed halt is a new version.';
comment on column market.trading_halts.resumed_at is 'Null while trading has not resumed.';
comment on column market.trading_halts.is_withdrawn is 'The source lists the halt no longer: it explains nothing.';
