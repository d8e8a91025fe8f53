-- Why a target weight is what it is: by which method, at which volatility, and what kept it from being another one.

alter table strategy.targets
    add column sizing         text not null default 'universe_share',
    add column volatility_pct double precision check (volatility_pct >= 0),
    add column reason_code    text not null default 'SIZED';

comment on column strategy.targets.sizing is 'How the signals of the decision shared the capital: strategies.*.sizing in trading.yaml.';
comment on column strategy.targets.volatility_pct is
    'Annual volatility that the weight was sized with, in percent; null for methods that read no returns.';
comment on column strategy.targets.reason_code is
    'SIZED, or what made the weight smaller or zero: NO_SIGNAL, NOT_A_MEMBER, HISTORY_TOO_SHORT, PRICE_WITHOUT_MOVEMENT, '
    'SYMBOL_CAPPED, SECTOR_CAPPED.';
