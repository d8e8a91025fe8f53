-- One schema a stage. Ledger tables are append-only: the database itself refuses update, delete and truncate.

create schema market;
create schema strategy;
create schema risk;
create schema execution;
create schema analytics;
create schema notification;
create schema ops;

create function ops.forbid_change() returns trigger language plpgsql as $$
begin
    raise exception '%.% is append-only: % is refused', tg_table_schema, tg_table_name, lower(tg_op)
        using errcode = 'integrity_constraint_violation',
              hint = 'Book a reversing row, or open a new account with `trading account open`.';
end $$;

create procedure ops.make_append_only(target regclass) language plpgsql as $$
begin
    execute format('create trigger append_only before update or delete or truncate on %s '
                   'for each statement execute function ops.forbid_change()', target);
end $$;


-- ops ---------------------------------------------------------------------------------------------

create table ops.quality_gates (
    dataset        text        not null,
    session_date   date        not null,
    symbol         text        not null,
    state          text        not null check (state in ('pending', 'open', 'closed')),
    failing_checks text[]      not null default '{}',
    evaluated_at   timestamptz not null default clock_timestamp(),
    primary key (dataset, session_date, symbol)
);
comment on table ops.quality_gates is
    'Read by the review and again by the submitting transaction. Pending: data changed and was not checked yet. No row counts as closed.';

create table ops.replay_clock (
    is_only_row boolean     primary key default true check (is_only_row),
    now_at      timestamptz not null
);
comment on table ops.replay_clock is 'The time of a rehearsal (trading.yaml: clock: replay).';


-- market ------------------------------------------------------------------------------------------

create table market.instruments (
    symbol        text        primary key,
    name          text        not null,
    asset_class   text        not null default 'us_equity',
    exchange      text        not null,
    currency      text        not null default 'USD',
    sector        text,
    is_tradable   boolean     not null,
    is_shortable  boolean     not null default false,
    first_session date,
    source        text        not null,
    known_at      timestamptz not null default clock_timestamp()
);

create table market.bars (
    symbol       text             not null,
    timeframe    text             not null check (timeframe in ('1h', '1d')),
    ts           timestamptz      not null,
    version      smallint         not null default 1,
    closes_at    timestamptz      not null,
    session_date date             not null,
    open         double precision not null,
    high         double precision not null,
    low          double precision not null,
    close        double precision not null,
    volume       double precision not null,
    source       text             not null,
    known_at     timestamptz      not null default clock_timestamp(),
    primary key (symbol, timeframe, ts, version),
    check (closes_at > ts)
);
create index bars_by_session on market.bars (session_date, timeframe);
call ops.make_append_only('market.bars');
comment on table market.bars is
    'Raw (unadjusted) OHLCV. ts labels the START of the bar, closes_at its end, both UTC. A changed bar is a new version.';

create function market.bars_as_of(knowledge_time timestamptz) returns setof market.bars language sql stable as $$
    select distinct on (symbol, timeframe, ts) *
    from market.bars
    where closes_at <= knowledge_time and (version = 1 or known_at <= knowledge_time)
    order by symbol, timeframe, ts, version desc
$$;
comment on function market.bars_as_of is
    'What was known at a time: the first version of a bar counts from its end, a later version from the moment it was stored.';

create table market.corporate_actions (
    symbol      text             not null,
    ex_date     date             not null,
    kind        text             not null check (kind in ('split', 'cash_dividend')),
    version     smallint         not null default 1,
    split_ratio double precision check (split_ratio > 0),
    amount_usd  double precision check (amount_usd > 0),
    pay_date    date,
    source      text             not null,
    known_at    timestamptz      not null default clock_timestamp(),
    primary key (symbol, ex_date, kind, version),
    check ((kind = 'split') = (split_ratio is not null)),
    check ((kind = 'cash_dividend') = (amount_usd is not null))
);
call ops.make_append_only('market.corporate_actions');
comment on column market.corporate_actions.split_ratio is 'New shares for one old share: 2 for a two-for-one split.';


-- strategy ----------------------------------------------------------------------------------------

create table strategy.indicators (
    symbol       text        not null,
    timeframe    text        not null,
    ts           timestamptz not null,
    closes_at    timestamptz not null,
    session_date date        not null,
    primary key (symbol, timeframe, ts)
);
create index indicators_by_session on strategy.indicators (session_date, timeframe);
comment on table strategy.indicators is
    'One float column an indicator that some strategy declares; the column appears when it is first declared.';

create table strategy.signals (
    strategy         text             not null,
    strategy_version text             not null,
    symbol           text             not null,
    timeframe        text             not null,
    decision_at      timestamptz      not null,
    session_date     date             not null,
    signal           double precision not null check (signal between -1 and 1),
    reason           text             not null,
    primary key (strategy, strategy_version, symbol, decision_at)
);
create index signals_by_session on strategy.signals (session_date);
comment on column strategy.signals.strategy_version is 'Version of the code, a plus sign, and the first eight hex digits of the parameters'' hash.';
comment on column strategy.signals.decision_at is 'Close of the bar that the signal was computed from: the earliest time anybody could know it.';

create table strategy.targets (
    strategy         text             not null,
    strategy_version text             not null,
    symbol           text             not null,
    decision_at      timestamptz      not null,
    session_date     date             not null,
    signal           double precision not null,
    capital_weight   double precision not null check (capital_weight between 0 and 1),
    target_weight    double precision not null check (target_weight between -1 and 1),
    primary key (strategy, strategy_version, symbol, decision_at)
);
create index targets_by_session on strategy.targets (session_date);
comment on column strategy.targets.target_weight is 'Share of the account''s equity that this strategy wants to hold in this symbol.';


-- risk --------------------------------------------------------------------------------------------

create table execution.accounts (
    account_id        text        primary key,
    broker            text        not null,
    fingerprint       text        not null,
    inception_session date        not null,
    opening_cash_usd  numeric(20, 6) not null check (opening_cash_usd > 0),
    opened_at         timestamptz not null default clock_timestamp()
);
call ops.make_append_only('execution.accounts');
create table ops.current_account (
    is_only_row boolean primary key default true check (is_only_row),
    account_id  text    not null references execution.accounts
);
comment on table ops.current_account is 'The account that traded last: the one reports and marts show.';
comment on table execution.accounts is
    'One account a configuration (fingerprint) and first session: a changed configuration never rewrites a recorded ledger.';

create table risk.verdicts (
    intent_id        text           primary key,
    account_id       text           not null references execution.accounts,
    strategy         text           not null,
    strategy_version text           not null,
    symbol           text           not null,
    side             text           not null check (side in ('buy', 'sell')),
    purpose          text           not null,
    leg              smallint       not null default 0,
    decision_at      timestamptz    not null,
    session_date     date           not null,
    target_weight    numeric(12, 9) not null,
    requested_qty    numeric(20, 9) not null,
    approved_qty     numeric(20, 9) not null,
    outcome          text           not null check (outcome in ('approved', 'reduced', 'denied')),
    reason_codes     text[]         not null default '{}',
    reference_price  numeric(20, 9),
    equity_usd       numeric(20, 6),
    recorded_at      timestamptz    not null default clock_timestamp(),
    check ((outcome = 'denied') = (approved_qty = 0)),
    check ((outcome = 'reduced') = (approved_qty > 0 and approved_qty < requested_qty))
);
create index verdicts_by_session on risk.verdicts (account_id, session_date);
call ops.make_append_only('risk.verdicts');

create table risk.verdict_checks (
    intent_id   text    not null references risk.verdicts,
    rule_id     text    not null,
    is_passed   boolean not null,
    reason_code text,
    value       double precision,
    limit_value double precision,
    allowed_qty numeric(20, 9),
    inputs      jsonb   not null default '{}',
    primary key (intent_id, rule_id),
    check (is_passed or reason_code is not null)
);
call ops.make_append_only('risk.verdict_checks');

create table risk.approvals (
    intent_id   text           primary key references risk.verdicts,
    qty         numeric(20, 9) not null check (qty > 0),
    approved_at timestamptz    not null,
    expires_at  timestamptz    not null,
    check (expires_at > approved_at)
);
call ops.make_append_only('risk.approvals');

create table risk.breaker_events (
    account_id   text        not null references execution.accounts,
    breaker      text        not null,
    event_no     integer     not null,
    state        text        not null check (state in ('tripped', 'cleared')),
    at           timestamptz not null,
    session_date date        not null,
    cause        jsonb       not null default '{}',
    cleared_by   text,
    why          text,
    primary key (account_id, breaker, event_no),
    check (state = 'tripped' or (length(trim(cleared_by)) > 0 and length(trim(why)) > 0))
);
call ops.make_append_only('risk.breaker_events');

create view risk.breakers as
    select distinct on (account_id, breaker) *
    from risk.breaker_events
    order by account_id, breaker, event_no desc;
comment on view risk.breakers is 'The latched state of each breaker that ever tripped.';


-- execution ---------------------------------------------------------------------------------------

create table execution.orders (
    client_order_id  text           primary key,
    intent_id        text           not null references risk.approvals,
    attempt          smallint       not null default 1,
    account_id       text           not null references execution.accounts,
    strategy         text           not null,
    strategy_version text           not null,
    symbol           text           not null,
    side             text           not null check (side in ('buy', 'sell')),
    qty              numeric(20, 9) not null check (qty > 0),
    order_type       text           not null check (order_type in ('market', 'limit', 'stop', 'stop_limit')),
    time_in_force    text           not null check (time_in_force in ('day', 'gtc', 'ioc', 'fok')),
    limit_price      numeric(20, 9),
    stop_price       numeric(20, 9),
    submitted_at     timestamptz    not null,
    session_date     date           not null,
    recorded_at      timestamptz    not null default clock_timestamp(),
    unique (intent_id, attempt),
    check ((order_type in ('limit', 'stop_limit')) = (limit_price is not null)),
    check ((order_type in ('stop', 'stop_limit')) = (stop_price is not null))
);
create index orders_by_session on execution.orders (account_id, session_date);
call ops.make_append_only('execution.orders');
comment on column execution.orders.session_date is 'Session of the decision; the order may work in the next one.';

create table execution.order_events (
    client_order_id text           not null references execution.orders,
    event_no        smallint       not null,
    status          text           not null,
    qty             numeric(20, 9) not null check (qty > 0),
    at              timestamptz    not null,
    session_date    date           not null,
    detail          text           not null default '',
    primary key (client_order_id, event_no)
);
call ops.make_append_only('execution.order_events');
comment on column execution.order_events.qty is 'The order''s quantity from this event on: a split changes that of a working order.';

create view execution.order_states as
    select distinct on (o.client_order_id)
           o.*, e.status, e.event_no, e.qty as working_qty, e.at as status_at,
           e.status in ('FILLED', 'CANCELED', 'EXPIRED', 'REPLACED', 'REJECTED', 'NEVER_ARRIVED') as is_terminal
    from execution.orders as o
    join execution.order_events as e using (client_order_id)
    order by o.client_order_id, e.event_no desc;

create table execution.fills (
    execution_id    text           primary key,
    client_order_id text           not null references execution.orders,
    account_id      text           not null references execution.accounts,
    strategy        text           not null,
    symbol          text           not null,
    side            text           not null check (side in ('buy', 'sell')),
    qty             numeric(20, 9) not null check (qty > 0),
    price           numeric(20, 9) not null check (price > 0),
    filled_at       timestamptz    not null,
    booked_at       timestamptz    not null,
    session_date    date           not null,
    recorded_at     timestamptz    not null default clock_timestamp(),
    check (booked_at >= filled_at)
);
create index fills_by_session on execution.fills (account_id, session_date);
call ops.make_append_only('execution.fills');
comment on column execution.fills.booked_at is 'When the account learnt of it: in a simulation the end of the bar it happened in.';

create table execution.activities (
    activity_id  text           primary key,
    account_id   text           not null references execution.accounts,
    strategy     text,
    symbol       text,
    kind         text           not null check (kind in ('deposit', 'withdrawal', 'dividend', 'fee_sec', 'fee_taf', 'split', 'cash_in_lieu')),
    qty_delta    numeric(20, 9) not null default 0,
    amount_usd   numeric(20, 6) not null default 0,
    at           timestamptz    not null,
    settles_on   date           not null,
    session_date date           not null,
    detail       jsonb          not null default '{}',
    recorded_at  timestamptz    not null default clock_timestamp()
);
create index activities_by_session on execution.activities (account_id, session_date);
call ops.make_append_only('execution.activities');
comment on column execution.activities.amount_usd is 'Signed change of cash: fees and withdrawals are negative.';

create table execution.positions (
    account_id     text           not null references execution.accounts,
    session_date   date           not null,
    strategy       text           not null,
    symbol         text           not null,
    as_of          timestamptz    not null,
    qty            numeric(20, 9) not null,
    avg_cost_usd   numeric(20, 9) not null,
    mark_price     numeric(20, 9) not null,
    value_usd      numeric(20, 6) not null,
    realised_usd   numeric(20, 6) not null,
    unrealised_usd numeric(20, 6) not null,
    primary key (account_id, session_date, strategy, symbol)
);
comment on table execution.positions is
    'Snapshot of the ledger''s fold at the last bar close of a session. Realised is cumulative. A flat position stays listed.';

create table execution.equity (
    account_id          text           not null references execution.accounts,
    at                  timestamptz    not null,
    session_date        date           not null,
    cash_usd            numeric(20, 6) not null,
    receivable_usd      numeric(20, 6) not null,
    positions_usd       numeric(20, 6) not null,
    equity_usd          numeric(20, 6) not null,
    realised_usd        numeric(20, 6) not null,
    unrealised_usd      numeric(20, 6) not null,
    dividends_usd       numeric(20, 6) not null,
    fees_usd            numeric(20, 6) not null,
    flows_usd           numeric(20, 6) not null,
    high_water_mark_usd numeric(20, 6) not null,
    primary key (account_id, at)
);
comment on table execution.equity is
    'The account at each bar close. Realised, dividends, fees (positive = paid) and flows are cumulative: '
    'equity = flows + realised + unrealised + dividends - fees.';


-- analytics ---------------------------------------------------------------------------------------

create table analytics.performance (
    account_id      text not null,
    session_date    date not null,
    equity_usd      double precision not null,
    return_pct      double precision not null,
    total_return_pct double precision not null,
    drawdown_pct    double precision not null,
    cagr_pct        double precision,
    volatility_pct  double precision,
    sharpe          double precision,
    sortino         double precision,
    max_drawdown_pct double precision not null,
    calmar          double precision,
    exposure_pct    double precision not null,
    primary key (account_id, session_date)
);
comment on table analytics.performance is 'One row a session; every figure is as of that session, over all sessions since inception.';

create table analytics.reports (
    account_id   text        not null,
    session_date date        not null,
    path         text        not null,
    sha256       text        not null,
    written_at   timestamptz not null default clock_timestamp(),
    primary key (account_id, session_date)
);


-- notification ------------------------------------------------------------------------------------

create table notification.messages (
    message_id  text        primary key,
    event       text        not null,
    severity    text        not null check (severity in ('info', 'warning', 'critical')),
    subject     text        not null,
    body        text        not null,
    occurred_at timestamptz not null,
    created_at  timestamptz not null default clock_timestamp()
);
create index messages_by_creation on notification.messages (created_at);
call ops.make_append_only('notification.messages');
comment on column notification.messages.message_id is 'Hash of the event''s dedupe key: the same fact is one message.';

create table notification.deliveries (
    message_id text        not null references notification.messages,
    channel    text        not null,
    state      text        not null check (state in ('claimed', 'sent', 'failed')),
    attempts   integer     not null default 1,
    claimed_at timestamptz not null default clock_timestamp(),
    sent_at    timestamptz,
    error      text,
    primary key (message_id, channel)
);
