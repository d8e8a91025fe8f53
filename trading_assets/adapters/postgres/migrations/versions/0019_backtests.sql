-- What backtests gave, for ever: none of it is part of an account's ledger.

create table strategy.sweeps (
    sweep_id      text        primary key,
    name          text        not null,
    method        text        not null check (method in ('grid', 'random')),
    parameters    jsonb       not null,
    seed          integer,
    walk_forward  jsonb,
    trials        integer     not null check (trials > 0),
    left_out      integer     not null check (left_out >= 0),
    first_session date        not null,
    last_session  date        not null,
    started_at    timestamptz not null,
    finished_at   timestamptz not null,
    check ((method = 'random') = (seed is not null))
);
call ops.make_append_only('strategy.sweeps');
comment on table strategy.sweeps is 'Searches for parameters: every configuration that was tried is in strategy.backtests.';
comment on column strategy.sweeps.parameters is 'The values of each key that were combined.';
comment on column strategy.sweeps.left_out is 'Combinations that the strategies do not accept.';

create table strategy.backtests (
    backtest_id      text             primary key,
    name             text             not null check (name <> ''),
    kind             text             not null check (kind in ('single', 'trial', 'walk_forward')),
    sweep_id         text             references strategy.sweeps,
    trial_no         integer          check (trial_no > 0),
    fingerprint      text             not null,
    overrides        jsonb            not null,
    configuration    jsonb            not null,
    code_versions    jsonb            not null,
    first_session    date             not null,
    last_session     date             not null,
    data_hash        text             not null,
    known_at         timestamptz      not null,
    started_at       timestamptz      not null,
    finished_at      timestamptz      not null,
    final_equity_usd numeric(20, 6)   not null,
    total_return_pct double precision not null,
    cagr_pct         double precision,
    volatility_pct   double precision,
    sharpe           double precision,
    sortino          double precision,
    max_drawdown_pct double precision not null,
    calmar           double precision,
    psr              double precision,
    deflated_sharpe  double precision,
    exposure_pct     double precision not null,
    turnover         double precision,
    fills            integer          not null,
    denied           integer          not null,
    trades           integer          not null,
    win_rate_pct     double precision,
    profit_factor    double precision,
    fees_usd         numeric(20, 6)   not null,
    dividends_usd    numeric(20, 6)   not null,
    check ((kind = 'single') = (sweep_id is null)),
    check ((kind = 'trial') = (trial_no is not null))
);
create index backtests_by_name on strategy.backtests (name, finished_at);
create index backtests_by_sweep on strategy.backtests (sweep_id, trial_no);
call ops.make_append_only('strategy.backtests');
comment on table strategy.backtests is 'One row a backtest. The same name, configuration, code, sessions and data have the same id.';
comment on column strategy.backtests.overrides is 'What differs from trading.yaml, by dotted key.';
comment on column strategy.backtests.configuration is 'All settings that decide trading, as they were.';
comment on column strategy.backtests.data_hash is 'SHA-256 of all bars, corporate actions and gates that were read.';
comment on column strategy.backtests.known_at is 'What became known later was not read.';
comment on column strategy.backtests.psr is 'Probability that the true Sharpe ratio is above 0 (Bailey and Lopez de Prado 2012).';
comment on column strategy.backtests.deflated_sharpe is
    'Probability that the true Sharpe ratio is above the best that luck gives among the trials of the sweep (2014).';

create table strategy.backtest_equity (
    backtest_id  text             not null references strategy.backtests,
    session_date date             not null,
    equity_usd   numeric(20, 6)   not null,
    return_pct   double precision not null,
    drawdown_pct double precision not null,
    primary key (backtest_id, session_date)
);
call ops.make_append_only('strategy.backtest_equity');
comment on table strategy.backtest_equity is 'The account of a backtest at the end of each session.';

create table strategy.backtest_trades (
    backtest_id   text             not null references strategy.backtests,
    trade_no      integer          not null,
    strategy      text             not null,
    symbol        text             not null,
    is_long       boolean          not null,
    opened_at     timestamptz      not null,
    closed_at     timestamptz,
    entry_qty     numeric(20, 6)   not null,
    entry_usd     numeric(20, 6)   not null,
    exit_usd      numeric(20, 6)   not null,
    dividends_usd numeric(20, 6)   not null,
    fees_usd      numeric(20, 6)   not null,
    net_pnl_usd   numeric(20, 6)   not null,
    primary key (backtest_id, trade_no)
);
call ops.make_append_only('strategy.backtest_trades');
comment on table strategy.backtest_trades is 'Round trips of a backtest, from flat to flat.';
comment on column strategy.backtest_trades.closed_at is 'Null while the position is held at the end.';
comment on column strategy.backtest_trades.net_pnl_usd is 'Of a position still held: what came back less what went out.';

create table strategy.sweep_folds (
    sweep_id    text             not null references strategy.sweeps,
    fold_no     integer          not null,
    trial_no    integer          not null,
    train_first date             not null,
    train_last  date             not null,
    test_first  date             not null,
    test_last   date             not null,
    train_sharpe double precision,
    is_chosen   boolean          not null,
    primary key (sweep_id, fold_no, trial_no),
    check (train_last < test_first)
);
call ops.make_append_only('strategy.sweep_folds');
comment on table strategy.sweep_folds is 'What each trial earned on the training window of each fold; the chosen one traded the test window.';
