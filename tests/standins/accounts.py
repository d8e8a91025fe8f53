"""What two accounts are compared by: everything that decides what they do next."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from trading_assets.domain.execution.ledger import Book, replay_key
from trading_assets.domain.simulation import Account

FOUND_ANEW = {"states", "locks"}
"""`take_notice` finds these before every decision, so no record holds them."""


def facts(account: Account) -> dict[str, Any]:
    """Every field of the account and of its book by name; what has no order of its own is put in order."""
    book = account.book
    of_account = {one.name: getattr(account, one.name) for one in fields(Account) if one.name != "book"}
    of_book = {f"book.{name}": getattr(book, name) for name in Book.__slots__}
    needed = {symbol for (_, symbol), position in book.positions.items() if position.qty}
    needed |= {working.order.symbol for working in account.working.values()}
    found = {
        **of_account,
        **of_book,
        "book.marks": {symbol: book.marks.get(symbol) for symbol in needed},
        "book.pending": sorted(book.pending),
        "session_fills": sorted(account.session_fills, key=replay_key),
        "session_orders": sorted(account.session_orders),
        "unsettled": sorted(account.unsettled, key=replay_key),
    }
    return {name: value for name, value in found.items() if name not in FOUND_ANEW}
