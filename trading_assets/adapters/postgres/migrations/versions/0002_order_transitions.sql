-- The moves of domain/execution/orders.py, so that no writer can record an illegal one; a test keeps the two equal.

create table execution.order_transitions (
    from_status text not null,
    to_status   text not null,
    primary key (from_status, to_status)
);

insert into execution.order_transitions (from_status, to_status) values
    ('PROPOSED', 'APPROVED'),
    ('PROPOSED', 'DENIED'),
    ('APPROVED', 'DENIED'),
    ('APPROVED', 'LAPSED'),
    ('APPROVED', 'SUBMITTING'),
    ('DENIED', 'DENIED'),
    ('DENIED', 'FILLED'),
    ('DENIED', 'PARTIALLY_FILLED_AFTER_TERMINAL'),
    ('LAPSED', 'LAPSED'),
    ('LAPSED', 'FILLED'),
    ('LAPSED', 'PARTIALLY_FILLED_AFTER_TERMINAL'),
    ('SUBMITTING', 'SUBMIT_UNKNOWN'),
    ('SUBMITTING', 'ACKED'),
    ('SUBMITTING', 'PARTIALLY_FILLED'),
    ('SUBMITTING', 'FILLED'),
    ('SUBMITTING', 'REJECTED'),
    ('SUBMIT_UNKNOWN', 'NEVER_ARRIVED'),
    ('SUBMIT_UNKNOWN', 'ACKED'),
    ('SUBMIT_UNKNOWN', 'WORKING'),
    ('SUBMIT_UNKNOWN', 'PARTIALLY_FILLED'),
    ('SUBMIT_UNKNOWN', 'FILLED'),
    ('SUBMIT_UNKNOWN', 'DONE_FOR_DAY'),
    ('SUBMIT_UNKNOWN', 'PENDING_CANCEL'),
    ('SUBMIT_UNKNOWN', 'PENDING_REPLACE'),
    ('SUBMIT_UNKNOWN', 'HELD'),
    ('SUBMIT_UNKNOWN', 'CANCELED'),
    ('SUBMIT_UNKNOWN', 'EXPIRED'),
    ('SUBMIT_UNKNOWN', 'REPLACED'),
    ('SUBMIT_UNKNOWN', 'REJECTED'),
    ('NEVER_ARRIVED', 'NEVER_ARRIVED'),
    ('NEVER_ARRIVED', 'FILLED'),
    ('NEVER_ARRIVED', 'PARTIALLY_FILLED_AFTER_TERMINAL'),
    ('ACKED', 'WORKING'),
    ('ACKED', 'PARTIALLY_FILLED'),
    ('ACKED', 'FILLED'),
    ('ACKED', 'DONE_FOR_DAY'),
    ('ACKED', 'PENDING_CANCEL'),
    ('ACKED', 'PENDING_REPLACE'),
    ('ACKED', 'HELD'),
    ('ACKED', 'CANCELED'),
    ('ACKED', 'EXPIRED'),
    ('ACKED', 'REPLACED'),
    ('ACKED', 'REJECTED'),
    ('WORKING', 'PARTIALLY_FILLED'),
    ('WORKING', 'FILLED'),
    ('WORKING', 'DONE_FOR_DAY'),
    ('WORKING', 'PENDING_CANCEL'),
    ('WORKING', 'PENDING_REPLACE'),
    ('WORKING', 'HELD'),
    ('WORKING', 'CANCELED'),
    ('WORKING', 'EXPIRED'),
    ('WORKING', 'REPLACED'),
    ('WORKING', 'REJECTED'),
    ('PARTIALLY_FILLED', 'PARTIALLY_FILLED'),
    ('PARTIALLY_FILLED', 'FILLED'),
    ('PARTIALLY_FILLED', 'DONE_FOR_DAY'),
    ('PARTIALLY_FILLED', 'PENDING_CANCEL'),
    ('PARTIALLY_FILLED', 'PENDING_REPLACE'),
    ('PARTIALLY_FILLED', 'HELD'),
    ('PARTIALLY_FILLED', 'CANCELED'),
    ('PARTIALLY_FILLED', 'EXPIRED'),
    ('PARTIALLY_FILLED', 'REPLACED'),
    ('FILLED', 'FILLED'),
    ('FILLED', 'PARTIALLY_FILLED_AFTER_TERMINAL'),
    ('DONE_FOR_DAY', 'WORKING'),
    ('DONE_FOR_DAY', 'PARTIALLY_FILLED'),
    ('DONE_FOR_DAY', 'FILLED'),
    ('DONE_FOR_DAY', 'PENDING_CANCEL'),
    ('DONE_FOR_DAY', 'HELD'),
    ('DONE_FOR_DAY', 'CANCELED'),
    ('DONE_FOR_DAY', 'EXPIRED'),
    ('PENDING_CANCEL', 'WORKING'),
    ('PENDING_CANCEL', 'PARTIALLY_FILLED'),
    ('PENDING_CANCEL', 'FILLED'),
    ('PENDING_CANCEL', 'HELD'),
    ('PENDING_CANCEL', 'CANCELED'),
    ('PENDING_CANCEL', 'EXPIRED'),
    ('PENDING_CANCEL', 'REJECTED'),
    ('PENDING_REPLACE', 'WORKING'),
    ('PENDING_REPLACE', 'PARTIALLY_FILLED'),
    ('PENDING_REPLACE', 'FILLED'),
    ('PENDING_REPLACE', 'HELD'),
    ('PENDING_REPLACE', 'CANCELED'),
    ('PENDING_REPLACE', 'EXPIRED'),
    ('PENDING_REPLACE', 'REPLACED'),
    ('HELD', 'ACKED'),
    ('HELD', 'WORKING'),
    ('HELD', 'PARTIALLY_FILLED'),
    ('HELD', 'FILLED'),
    ('HELD', 'DONE_FOR_DAY'),
    ('HELD', 'PENDING_CANCEL'),
    ('HELD', 'PENDING_REPLACE'),
    ('HELD', 'HELD'),
    ('HELD', 'CANCELED'),
    ('HELD', 'EXPIRED'),
    ('HELD', 'REPLACED'),
    ('HELD', 'REJECTED'),
    ('CANCELED', 'FILLED'),
    ('CANCELED', 'CANCELED'),
    ('CANCELED', 'PARTIALLY_FILLED_AFTER_TERMINAL'),
    ('EXPIRED', 'FILLED'),
    ('EXPIRED', 'EXPIRED'),
    ('EXPIRED', 'PARTIALLY_FILLED_AFTER_TERMINAL'),
    ('REPLACED', 'FILLED'),
    ('REPLACED', 'REPLACED'),
    ('REPLACED', 'PARTIALLY_FILLED_AFTER_TERMINAL'),
    ('REJECTED', 'FILLED'),
    ('REJECTED', 'REJECTED'),
    ('REJECTED', 'PARTIALLY_FILLED_AFTER_TERMINAL'),
    ('PARTIALLY_FILLED_AFTER_TERMINAL', 'FILLED'),
    ('PARTIALLY_FILLED_AFTER_TERMINAL', 'PARTIALLY_FILLED_AFTER_TERMINAL');

call ops.make_append_only('execution.order_transitions');
comment on table execution.order_transitions is 'Every legal move of an order''s status.';

create function execution.check_order_event() returns trigger language plpgsql as $$
declare
    last_no     integer;
    last_status text;
begin
    select event_no, status into last_no, last_status
    from execution.order_events
    where client_order_id = new.client_order_id
    order by event_no desc
    limit 1;

    -- An event that is recorded already is the primary key's business: `on conflict do nothing` makes a rerun a no-op.
    if new.event_no between 1 and last_no then
        return new;
    end if;
    if new.event_no <> coalesce(last_no, 0) + 1 then
        raise exception 'order %: event % cannot follow event %', new.client_order_id, new.event_no, coalesce(last_no, 0)
            using errcode = 'check_violation', hint = 'Insert an order''s events one by one, in order of event_no.';
    end if;
    if last_no is null and new.status <> 'SUBMITTING' then
        raise exception 'order %: the first event is %, it must be SUBMITTING', new.client_order_id, new.status
            using errcode = 'check_violation', hint = 'An order is recorded when it is being submitted.';
    end if;
    if not exists (
        select from execution.order_transitions
        where from_status = coalesce(last_status, 'APPROVED') and to_status = new.status
    ) then
        raise exception 'order %: % -> % is no legal move', new.client_order_id, last_status, new.status
            using errcode = 'check_violation', hint = 'execution.order_transitions lists the legal moves.';
    end if;
    return new;
end $$;

create trigger legal_moves before insert on execution.order_events
    for each row execute function execution.check_order_event();

create or replace view execution.order_states as
    select distinct on (o.client_order_id)
           o.*, e.status, e.event_no, e.qty as working_qty, e.at as status_at,
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
           ) as is_terminal
    from execution.orders as o
    join execution.order_events as e using (client_order_id)
    order by o.client_order_id, e.event_no desc;
