-- Who may trade: the states that persons declare for accounts, strategies and symbols.

create table risk.state_events (
    event_no    bigint      primary key generated always as identity,
    scope       text        not null check (scope in ('account', 'strategy', 'symbol')),
    subject     text        not null check (subject <> ''),
    state       text        not null check (state in ('active', 'reducing', 'halted')),
    is_flatten  boolean     not null default false check (not is_flatten or state = 'reducing'),
    at          timestamptz not null,
    set_by      text        not null check (length(trim(set_by)) > 0),
    why         text        not null check (length(trim(why)) > 0),
    recorded_at timestamptz not null default clock_timestamp()
);
call ops.make_append_only('risk.state_events');
comment on table risk.state_events is
    'Who halted, reduced, flattened or resumed what, when and why. What has no row is active; the last word on a subject holds.';
comment on column risk.state_events.subject is 'An account, strategy or symbol; the account * stands for every account.';
comment on column risk.state_events.is_flatten is 'What is held within the scope is closed as well, until the next event.';
comment on column risk.state_events.at is
    'Decisions at or after this time obey the event. A submission obeys every event that is committed, whatever its time.';

create view risk.trading_states as
    select distinct on (scope, subject) *
    from risk.state_events
    order by scope, subject, event_no desc;
comment on view risk.trading_states is 'The state in force of everything that was ever halted, reduced or resumed.';
