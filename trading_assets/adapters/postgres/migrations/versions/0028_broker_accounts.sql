-- Accounts at a real broker: who may send, what was sent and answered, and what the broker's records become in the ledger.

alter table execution.activities
    drop constraint activities_kind_check,
    add constraint activities_kind_check check (kind in (
        'deposit', 'withdrawal', 'dividend', 'fee_sec', 'fee_taf', 'split', 'transfer', 'cash_in_lieu', 'delisting',
        'fee', 'interest', 'external_trade', 'bust'));


-- One writer a time: whoever sends holds a session lock of the account and the newest token, or sends nothing.

create sequence execution.writer_tokens;
create table execution.writers (
    account_id text        primary key references execution.accounts,
    token      bigint      not null,
    run_id     text        not null,
    taken_at   timestamptz not null default clock_timestamp()
);
comment on table execution.writers is
    'Who sends orders of an account now. An older token sends nothing more: the row of its submission is refused.';

create table execution.submissions (
    client_order_id text        primary key references execution.orders,
    writer_token    bigint      not null,
    request         jsonb       not null,
    send_by         timestamptz not null,
    answer_by       timestamptz not null,
    recorded_at     timestamptz not null default clock_timestamp(),
    check (answer_by > send_by)
);
call ops.make_append_only('execution.submissions');
comment on table execution.submissions is 'Committed before the request leaves: nothing is sent that is not written here.';
comment on column execution.submissions.send_by is 'A request that has not left by then is not sent any more. By the clock of the graph, as all times here.';
comment on column execution.submissions.answer_by is 'After that nobody waits for an answer any longer: what became of the order is looked up.';

create function execution.check_writer() returns trigger language plpgsql as $$
declare
    newest bigint;
begin
    select token into newest
    from execution.writers join execution.orders using (account_id)
    where orders.client_order_id = new.client_order_id
    for share of writers;
    if newest is distinct from new.writer_token then
        raise exception 'order %: token % may not send, the writer of the account has %', new.client_order_id,
            new.writer_token, newest
            using errcode = 'check_violation', hint = 'Another process sends the orders of this account now.';
    end if;
    return new;
end $$;
create trigger is_sent_by_the_writer before insert on execution.submissions
    for each row execute function execution.check_writer();

create table execution.submission_answers (
    client_order_id text        primary key references execution.submissions,
    at              timestamptz not null,
    status          text        not null check (status in ('ACKED', 'REJECTED', 'SUBMIT_UNKNOWN')),
    broker_order_id text,
    code            text        not null default '',
    message         text        not null default '',
    http_status     integer,
    answer          text        not null default '',
    recorded_at     timestamptz not null default clock_timestamp()
);
call ops.make_append_only('execution.submission_answers');
comment on table execution.submission_answers is 'The answer to each request as it came, or what came instead of one.';

create table execution.order_lookups (
    client_order_id text        not null references execution.submissions,
    at              timestamptz not null,
    outcome         text        not null check (outcome in ('found', 'not_found', 'unclear')),
    detail          text        not null default '',
    primary key (client_order_id, at)
);
call ops.make_append_only('execution.order_lookups');
comment on table execution.order_lookups is
    'What the broker said when it was asked by client id for an order of unknown fate. not_found is its own definite word.';


-- What the broker calls our orders, and the orders of others.

create table execution.broker_orders (
    account_id      text        not null references execution.accounts,
    broker_order_id text        not null,
    client_order_id text        references execution.orders,
    symbol          text        not null,
    seen_at         timestamptz not null,
    primary key (account_id, broker_order_id)
);
create index broker_orders_by_client_id on execution.broker_orders (client_order_id);
call ops.make_append_only('execution.broker_orders');
comment on column execution.broker_orders.client_order_id is 'Null: an order that somebody else gave to the account.';


-- What no sound history has: for a person to look at.

create table execution.incidents (
    incident_id text        primary key,
    account_id  text        not null references execution.accounts,
    kind        text        not null,
    subject     text        not null,
    symbol      text,
    at          timestamptz not null,
    session_date date       not null,
    detail      jsonb       not null default '{}',
    recorded_at timestamptz not null default clock_timestamp()
);
create index incidents_by_session on execution.incidents (account_id, session_date);
call ops.make_append_only('execution.incidents');

create table execution.incident_closings (
    incident_id text        primary key references execution.incidents,
    at          timestamptz not null,
    closed_by   text        not null check (length(trim(closed_by)) > 0),
    why         text        not null check (length(trim(why)) > 0),
    recorded_at timestamptz not null default clock_timestamp()
);
call ops.make_append_only('execution.incident_closings');

create view execution.open_incidents as
    select incidents.*
    from execution.incidents
    where not exists (
        select from execution.incident_closings as closings where closings.incident_id = incidents.incident_id
    );
comment on view execution.open_incidents is 'While one is open, risk denies new exposure in its symbol, or in the account where it has none.';


-- Who looks after an account, and when each last did: a broker's order needs somebody who watches.

create table execution.watchers (
    account_id text        not null references execution.accounts,
    watcher    text        not null check (watcher in ('risk', 'reconciliation')),
    seen_at    timestamptz not null,
    primary key (account_id, watcher)
);
comment on column execution.watchers.seen_at is 'By the clock of the graph, which a rehearsal sets.';


-- What every account holds at this moment, by strategy: snapshots of positions are those of bar closes.

create view execution.held_now as
    select account_id, strategy, symbol, sum(qty) as qty, max(at) as changed_at
    from (
        select account_id, strategy, symbol, case side when 'buy' then qty else -qty end as qty, booked_at as at
        from execution.fills
        union all
        select account_id, strategy, symbol, qty_delta, at
        from execution.activities
        where qty_delta <> 0
    ) as movements
    group by account_id, strategy, symbol
    having sum(qty) <> 0;
comment on view execution.held_now is
    'The ledger''s fold of shares up to now. execution.positions has the same at each bar close, with prices.';
