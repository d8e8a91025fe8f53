-- Pairs of symbols that strategies tested for cointegration, at each of their discoveries.

create table strategy.pairs (
    strategy         text             not null,
    strategy_version text             not null,
    discovered_at    timestamptz      not null,
    symbol_y         text             not null,
    symbol_x         text             not null check (symbol_x <> symbol_y),
    session_date     date             not null,
    hedge_ratio      double precision not null,
    intercept        double precision not null,
    half_life_bars   double precision not null check (half_life_bars >= 0),
    p_value          double precision not null check (p_value between 0 and 1),
    reverse_p_value  double precision not null check (reverse_p_value between p_value and 1),
    pairs_tested     integer          not null check (pairs_tested > 0),
    is_selected      boolean          not null,
    primary key (strategy, strategy_version, discovered_at, symbol_y, symbol_x)
);
create index pairs_by_session on strategy.pairs (session_date);
comment on table strategy.pairs is
    'log y = intercept + hedge_ratio x log x + spread, for prices divided by those at the beginning of the formation.';
comment on column strategy.pairs.discovered_at is
    'Close up to which bars were used: decisions from it until the next discovery may trade the selected pairs.';
comment on column strategy.pairs.half_life_bars is 'Bars in which half of a spread is expected to vanish; infinite where it does not revert.';
comment on column strategy.pairs.p_value is 'Of no cointegration, Engle and Granger 1987, in the direction with the lower value.';
comment on column strategy.pairs.reverse_p_value is 'Of the test with x explained by y.';
comment on column strategy.pairs.pairs_tested is 'So many were tested together: at 5 percent, one of twenty passes by chance.';
