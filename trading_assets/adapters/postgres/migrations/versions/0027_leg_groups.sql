-- Legs of one trade are decided together, and risk lets them pass together.

alter table strategy.signals add column leg_group text;
comment on column strategy.signals.leg_group is
    'Symbols of a strategy with the same group at a decision are legs of one trade. Null: the symbol is traded alone.';

alter table strategy.targets add column leg_group text;
comment on column strategy.targets.leg_group is 'That of the signal.';
