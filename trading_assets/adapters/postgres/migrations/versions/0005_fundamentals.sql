-- What is known about companies besides their prices. A restated or changed value is a new version.

create table market.financials (
    symbol      text             not null,
    statement   text             not null check (statement in ('income', 'balance_sheet', 'cash_flow')),
    item        text             not null,
    months      smallint         not null check (months in (3, 12)),
    period_end  date             not null,
    version     smallint         not null default 1,
    amount      double precision not null,
    currency    text,
    response_id bigint           references market.vendor_responses,
    source      text             not null,
    known_at    timestamptz      not null default clock_timestamp(),
    primary key (symbol, statement, item, months, period_end, version)
);
call ops.make_append_only('market.financials');
comment on table market.financials is
    'Lines of income statements, balance sheets and cash flows. A restated amount is a new version.';
comment on column market.financials.item is 'The line by the name its source gives it, such as TotalRevenue.';
comment on column market.financials.months is 'Length of the period: 3 for a quarter, 12 for a year.';
comment on column market.financials.amount is 'In currency, or in shares where the line counts shares.';
comment on column market.financials.known_at is
    'When it was first seen here. The source does not say when it was filed: never use an amount at an earlier time.';

create table market.fundamentals (
    symbol      text        not null,
    topic       text        not null,
    item        text        not null,
    version     integer     not null default 1,
    text        text        not null,
    number      double precision,
    response_id bigint      references market.vendor_responses,
    source      text        not null,
    known_at    timestamptz not null default clock_timestamp(),
    primary key (symbol, topic, item, version)
);
call ops.make_append_only('market.fundamentals');
comment on table market.fundamentals is
    'Profile, key statistics, earnings dates, recommendations and holders as observed. A changed fact is a new version.';
comment on column market.fundamentals.item is 'The fact by the name its source gives it; parts of a list are numbered from 0.';
comment on column market.fundamentals.number is 'The fact as a number, null where it is none.';
