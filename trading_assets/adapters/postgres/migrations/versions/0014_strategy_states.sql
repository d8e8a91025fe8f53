-- Whether a strategy may open positions, and what a stateful one remembers.

create table strategy.state_events (
    strategy text        not null,
    event_no integer     not null check (event_no > 0),
    state    text        not null check (state in ('enabled', 'paused', 'cooling_down')),
    at       timestamptz not null,
    until    timestamptz,
    set_by   text        not null check (set_by <> ''),
    why      text        not null check (why <> ''),
    primary key (strategy, event_no),
    check ((state = 'cooling_down') = (until is not null)),
    check (until > at)
);
create index state_events_by_time on strategy.state_events (strategy, at);
call ops.make_append_only('strategy.state_events');
comment on table strategy.state_events is
    'Who enabled or paused a strategy, when and why. A strategy without a row is enabled.';
comment on column strategy.state_events.at is 'Decisions at or after this time obey the event; earlier ones never do.';
comment on column strategy.state_events.until is 'End of a cool-down: decisions at or after it are free again.';

create table strategy.states (
    strategy         text        not null,
    strategy_version text        not null,
    universe_id      text        not null,
    decision_at      timestamptz not null,
    session_date     date        not null,
    state            jsonb       not null,
    primary key (strategy, strategy_version, universe_id, decision_at)
);
comment on table strategy.states is 'What a stateful strategy knew after each decision; the next one starts from it.';
comment on column strategy.states.universe_id is 'The symbols that the state is about: another universe has states of its own.';
