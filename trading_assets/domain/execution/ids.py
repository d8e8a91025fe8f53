"""Identifiers that follow from what they name: the same fact has the same id in every run, and no id is random."""

from __future__ import annotations

import base64
import hashlib
from datetime import date, datetime

CLIENT_ORDER_ID_LENGTH = 48
CLIENT_ORDER_PREFIX = "ta1-"
"""By which an order at a broker is known as one of ours."""


def _digest(*facts: object) -> str:
    # The unit separator cannot occur in a fact, so no two lists of facts read the same.
    return hashlib.sha256("\x1f".join(str(fact) for fact in facts).encode()).hexdigest()


def client_order_id(intent_id: str, leg: int, attempt: int) -> str:
    """`ta1-<26 of base32>-<leg>-<attempt>`, at most 48 characters. Raises ValueError unless the id is 64 hex digits."""
    if len(intent_id) != 64:
        raise ValueError(
            f"intent id {intent_id!r} has {len(intent_id)} characters: it must be the 64 hex digits of a sha256"
        )
    if leg < 0 or attempt < 1:
        raise ValueError(f"intent {intent_id}: leg {leg} must be 0 or more and attempt {attempt} must be 1 or more")
    encoded = base64.b32encode(bytes.fromhex(intent_id)).decode().lower().rstrip("=")
    identifier = f"{CLIENT_ORDER_PREFIX}{encoded[:26]}-{leg}-{attempt}"
    if len(identifier) > CLIENT_ORDER_ID_LENGTH:
        raise ValueError(f"client order id {identifier} is longer than {CLIENT_ORDER_ID_LENGTH} characters")
    return identifier


def next_attempt(identifier: str) -> str:
    """The client order id of the attempt after the one that `identifier` names."""
    name, _, attempt = identifier.rpartition("-")
    return f"{name}-{int(attempt) + 1}"


def execution_id(client_order_id: str, bar_ts: datetime, sequence: int) -> str:
    """32 hex digits for the `sequence`-th execution of an order in the bar that starts at `bar_ts` (UTC)."""
    return _digest("execution", client_order_id, bar_ts.isoformat(), sequence)[:32]


def activity_id(account_id: str, kind: str, session: date, symbol: str | None, strategy: str | None) -> str:
    """32 hex digits: one activity of a kind a session, symbol and strategy."""
    return _digest("activity", account_id, str(kind), session.isoformat(), symbol or "", strategy or "")[:32]
