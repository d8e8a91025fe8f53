-- Trailing stops, auction orders, and orders that belong together: an entry with the legs that protect what it buys.

alter table execution.orders
    drop constraint orders_order_type_check,
    drop constraint orders_time_in_force_check,
    drop constraint orders_check,
    drop constraint orders_check1,
    drop constraint orders_intent_id_attempt_key,
    drop constraint orders_use_an_approval_once,
    add column order_class      text not null default 'simple',
    add column group_id         text,
    add column parent_order_id  text,
    add column entry_offset_pct numeric(20, 9),
    add column trail_usd        numeric(20, 9) check (trail_usd > 0),
    add column trail_pct        numeric(20, 9) check (trail_pct > 0 and trail_pct < 100),
    add constraint orders_type_is_known
        check (order_type in ('market', 'limit', 'stop', 'stop_limit', 'trailing_stop')),
    add constraint orders_time_is_known check (time_in_force in ('day', 'gtc', 'ioc', 'fok', 'opg', 'cls')),
    add constraint orders_class_is_known check (order_class in ('simple', 'bracket', 'oco', 'oto')),
    add constraint orders_have_a_limit check (
        (order_type in ('limit', 'stop_limit')) = (limit_price is not null)
        or (order_type = 'limit' and entry_offset_pct is not null)
    ),
    add constraint orders_have_a_stop check (
        (order_type in ('stop', 'stop_limit')) = (stop_price is not null)
        or (order_type = 'stop' and entry_offset_pct is not null)
    ),
    add constraint orders_have_one_trail check (
        num_nonnulls(trail_usd, trail_pct) = case order_type when 'trailing_stop' then 1 else 0 end
    ),
    add constraint orders_in_auctions_are_market_or_limit check (
        time_in_force not in ('opg', 'cls') or order_type in ('market', 'limit')
    ),
    add constraint orders_of_a_class_have_a_group check ((order_class = 'simple') = (group_id is null)),
    add constraint orders_relative_to_an_entry_have_one check (entry_offset_pct is null or parent_order_id is not null),
    add constraint orders_by_intent unique (client_order_id, intent_id),
    add constraint orders_share_the_approval_of_their_parent
        foreign key (parent_order_id, intent_id) references execution.orders (client_order_id, intent_id);

-- An approval permits one order and the legs that protect it.
create unique index orders_use_an_approval_once on execution.orders (intent_id) where parent_order_id is null;

comment on column execution.orders.order_class is 'simple; bracket and oto: an entry and its legs; oco: orders of which one cancels the others.';
comment on column execution.orders.group_id is 'The client order id of the first order of the group.';
comment on column execution.orders.parent_order_id is 'The entry that a leg waits for: it is HELD until the entry executes.';
comment on column execution.orders.entry_offset_pct is 'Distance of a leg''s price from the price of its entry, in percent; negative: below it.';
comment on column execution.orders.trail_usd is 'Distance of a trailing stop from the best price so far.';
comment on column execution.orders.trail_pct is 'Distance of a trailing stop from the best price so far, in percent of it.';

create table execution.trail_marks (
    client_order_id text           not null references execution.orders,
    at              timestamptz    not null,
    session_date    date           not null,
    mark_price      numeric(20, 9) not null check (mark_price > 0),
    primary key (client_order_id, at)
);
call ops.make_append_only('execution.trail_marks');
comment on table execution.trail_marks is 'The best price that a trailing stop has seen: a row each time it improves.';

create or replace view execution.order_states as
    select distinct on (o.client_order_id)
           o.client_order_id, o.intent_id, o.attempt, o.account_id, o.strategy, o.strategy_version, o.symbol, o.side,
           o.qty, o.order_type, o.time_in_force, o.limit_price, o.stop_price, o.submitted_at, o.session_date,
           o.recorded_at, e.status, e.event_no, e.qty as working_qty, e.at as status_at,
           e.status in (
               'CANCELED',
               'DENIED',
               'EXPIRED',
               'FILLED',
               'LAPSED',
               'NEVER_ARRIVED',
               'PARTIALLY_FILLED_AFTER_TERMINAL',
               'REJECTED',
               'REPLACED'
           ) as is_terminal,
           o.order_class, o.group_id, o.parent_order_id
    from execution.orders as o
    join execution.order_events as e using (client_order_id)
    order by o.client_order_id, e.event_no desc;
