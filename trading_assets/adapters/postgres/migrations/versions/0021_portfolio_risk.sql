-- What an account risks at a moment, how near that is to its limits, and when the answer to the latter changed.

create table risk.portfolio_risk (
    account_id            text             not null references execution.accounts,
    at                    timestamptz      not null,
    session_date          date             not null,
    marked_at             timestamptz      not null,
    equity_usd            numeric(20, 6)   not null,
    start_equity_usd      numeric(20, 6)   not null,
    high_water_mark_usd   numeric(20, 6)   not null,
    positions             integer          not null,
    gross_usd             double precision not null,
    net_usd               double precision not null,
    leverage              double precision,
    largest_symbol        text,
    largest_usd           double precision not null,
    herfindahl            double precision,
    benchmark             text             not null,
    beta                  double precision,
    beta_missing          text,
    tail_sessions         integer          not null,
    deviation_usd         double precision,
    var_95_usd            double precision,
    cvar_95_usd           double precision,
    var_99_usd            double precision,
    cvar_99_usd           double precision,
    parametric_var_95_usd  double precision,
    parametric_cvar_95_usd double precision,
    parametric_var_99_usd  double precision,
    parametric_cvar_99_usd double precision,
    mean_correlation      double precision,
    tail_missing          text,
    measured_at           timestamptz      not null default clock_timestamp(),
    primary key (account_id, at),
    check (marked_at <= at),
    check ((beta is null) = (beta_missing is not null)),
    check ((var_95_usd is null) = (tail_missing is not null))
);
create index portfolio_risk_by_session on risk.portfolio_risk (session_date);
comment on table risk.portfolio_risk is
    'The book at a moment, measured by the past of what it holds. USD figures of the tail are those of one session; a loss is negative.';
comment on column risk.portfolio_risk.at is 'The close of a session that is over, or the time of the measurement within one.';
comment on column risk.portfolio_risk.marked_at is 'The bar close of the prices that positions and equity are valued at.';
comment on column risk.portfolio_risk.start_equity_usd is 'Equity at the close of the session before, plus the flows of this one.';
comment on column risk.portfolio_risk.leverage is 'Gross over equity; null without equity.';
comment on column risk.portfolio_risk.herfindahl is 'Sum of the squared shares of gross: 1 for a single position; null without any.';
comment on column risk.portfolio_risk.benchmark is 'What beta is measured against.';
comment on column risk.portfolio_risk.beta is 'Change of equity for a change of the benchmark, both as ratios.';
comment on column risk.portfolio_risk.tail_sessions is 'Sessions in which every held symbol has a return: those the tail is made of.';
comment on column risk.portfolio_risk.deviation_usd is 'Standard deviation of a session''s profit, from the shrunk covariance.';
comment on column risk.portfolio_risk.mean_correlation is 'Of all pairs of held symbols, after shrinkage; null with fewer than two.';
comment on column risk.portfolio_risk.tail_missing is 'Why there is no tail: history is too short and never filled up.';
comment on column risk.portfolio_risk.measured_at is 'When the database was told, by its own clock.';

create table risk.position_risk (
    account_id             text             not null,
    at                     timestamptz      not null,
    session_date           date             not null,
    symbol                 text             not null,
    sector                 text             not null,
    value_usd              double precision not null,
    return_count           integer          not null,
    beta                   double precision,
    volatility_pct         double precision,
    marginal_var_95        double precision,
    component_var_95_usd   double precision,
    component_cvar_95_usd  double precision,
    primary key (account_id, at, symbol),
    foreign key (account_id, at) references risk.portfolio_risk on delete cascade
);
create index position_risk_by_session on risk.position_risk (session_date);
comment on table risk.position_risk is 'What each position contributes to the risk of its book.';
comment on column risk.position_risk.volatility_pct is 'Annual, of its own returns, in percent.';
comment on column risk.position_risk.marginal_var_95 is 'Change of the parametric 95 % VaR, in dollars, for one more dollar of it.';
comment on column risk.position_risk.component_var_95_usd is 'Its part of the parametric 95 % VaR: the parts add up to it.';
comment on column risk.position_risk.component_cvar_95_usd is 'Its part of the historical 95 % CVaR: the parts add up to it.';

create table risk.sector_risk (
    account_id   text             not null,
    at           timestamptz      not null,
    session_date date             not null,
    sector       text             not null,
    net_usd      double precision not null,
    gross_usd    double precision not null,
    primary key (account_id, at, sector),
    foreign key (account_id, at) references risk.portfolio_risk on delete cascade
);

create table risk.correlations (
    account_id   text             not null,
    at           timestamptz      not null,
    session_date date             not null,
    symbol       text             not null,
    other_symbol text             not null,
    correlation  double precision not null,
    primary key (account_id, at, symbol, other_symbol),
    foreign key (account_id, at) references risk.portfolio_risk on delete cascade,
    check (symbol < other_symbol)
);
comment on table risk.correlations is 'Between the ten largest positions, from the shrunk covariance of their returns.';

create table risk.stress_results (
    account_id   text        not null,
    at           timestamptz not null,
    session_date date        not null,
    scenario     text        not null,
    scenario_no  smallint    not null,
    profit_usd   double precision,
    basis        text        not null,
    primary key (account_id, at, scenario),
    foreign key (account_id, at) references risk.portfolio_risk on delete cascade
);
comment on table risk.stress_results is 'What the book would gain or lose in days like the worst, and under shocks of its own.';
comment on column risk.stress_results.profit_usd is 'A loss is negative; null where history is missing.';
comment on column risk.stress_results.basis is 'What is assumed, and where the number comes from.';

create table risk.limit_checks (
    account_id   text        not null references execution.accounts,
    at           timestamptz not null,
    session_date date        not null,
    limit_name   text        not null,
    value        numeric,
    limit_value  numeric     not null check (limit_value > 0),
    detail       text        not null,
    missing      text,
    primary key (account_id, at, limit_name),
    check ((value is null) = (missing is not null))
);
create index limit_checks_by_session on risk.limit_checks (session_date);
comment on table risk.limit_checks is 'The value of everything that is limited, at each measurement, beside its limit.';
comment on column risk.limit_checks.limit_name is 'The key in trading.yaml.';
comment on column risk.limit_checks.value is 'In the unit of the limit; null where it cannot be measured.';
comment on column risk.limit_checks.detail is 'What the value belongs to: the largest symbol, the largest sector.';

create table risk.alert_events (
    account_id   text        not null references execution.accounts,
    limit_name   text        not null,
    event_no     integer     not null check (event_no > 0),
    state        text        not null check (state in ('clear', 'warning', 'breached', 'unknown')),
    previous     text        not null check (previous in ('clear', 'warning', 'breached', 'unknown')),
    at           timestamptz not null,
    session_date date        not null,
    value        numeric,
    limit_value  numeric     not null,
    detail       text        not null,
    recorded_at  timestamptz not null default clock_timestamp(),
    primary key (account_id, limit_name, event_no),
    unique (account_id, limit_name, at),
    check (state <> previous)
);
call ops.make_append_only('risk.alert_events');
comment on table risk.alert_events is
    'Every change of how near a limit is: a warning at 80 %, a breach at 100 %, clear again at 70 %. Each was one message.';

create view risk.alerts as
    select distinct on (account_id, limit_name) *
    from risk.alert_events
    order by account_id, limit_name, event_no desc;
comment on view risk.alerts is 'The newest state of each limit that ever came near; one without a row is clear.';
