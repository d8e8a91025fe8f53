"""Rows of vendors' corporate actions: what each kind must say, and one action of a kind, symbol and day from them all.

Every row that came in is either used or quarantined with a reason. What the fields are called belongs in the vendor's
own adapter, what an action does to prices or to a book in the domain.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal

from trading_assets.adapters.vendor_rows import Place, Quarantine, Row, WireDate, WireModel, repeats
from trading_assets.domain.market.corporate_actions import ActionKind, CorporateAction, DelistingReason
from trading_assets.domain.values import ZERO, decimal_of


class WireAction(WireModel, ABC):
    """A row of any kind. `symbol` is the one held before; names are the vendor's."""

    symbol: str
    ex_date: WireDate

    def concerned(self) -> set[str]:
        """The symbols of which one must have been asked for."""
        return {self.symbol}

    def fault(self) -> str | None:
        """What is wrong with the row, None when nothing is."""
        return None

    @abstractmethod
    def actions(self) -> list[CorporateAction]:
        """What the row says; several actions where one event is several things at once."""

    def nature(self) -> str:
        """What tells payments apart that share an ex-date, such as a special one."""
        return ""


class WireSplit(WireAction):
    """A split or reverse split: `new_shares` for `old_shares`."""

    new_shares: float
    old_shares: float

    def fault(self) -> str | None:
        if self.new_shares <= 0 or self.old_shares <= 0:
            return f"{self.new_shares:g} new shares for {self.old_shares:g} old ones is no split"
        return None

    def actions(self) -> list[CorporateAction]:
        ratio = decimal_of(self.new_shares) / decimal_of(self.old_shares)
        return [CorporateAction(self.symbol, self.ex_date, ActionKind.SPLIT, split_ratio=ratio)]


class WirePayment(WireAction):
    """`amount_usd` a share in cash."""

    amount_usd: float
    currency: str | None = None
    pay_date: WireDate | None = None

    def fault(self) -> str | None:
        if self.currency not in {None, "USD"}:
            return f"paid in {self.currency}, not in USD"
        return None if self.amount_usd > 0 else f"{self.amount_usd:g} USD is no payment"


class WireDividend(WirePayment):
    def actions(self) -> list[CorporateAction]:
        amount = decimal_of(self.amount_usd)
        return [
            CorporateAction(
                self.symbol, self.ex_date, ActionKind.CASH_DIVIDEND, amount_usd=amount, pay_date=self.pay_date
            )
        ]


class WireStockDividend(WireAction):
    """`rate` additional shares for one share."""

    rate: float

    def fault(self) -> str | None:
        return None if self.rate > 0 else f"{self.rate:g} shares is no stock dividend"

    def actions(self) -> list[CorporateAction]:
        return [
            CorporateAction(self.symbol, self.ex_date, ActionKind.STOCK_DIVIDEND, share_ratio=decimal_of(self.rate))
        ]


class WireSpinOff(WireAction):
    """`new_shares` of `new_symbol` for `old_shares` of `symbol`, which stay."""

    new_symbol: str
    new_shares: float
    old_shares: float = 1

    def fault(self) -> str | None:
        if self.new_shares <= 0 or self.old_shares <= 0:
            return f"{self.new_shares:g} shares of {self.new_symbol} for {self.old_shares:g} is no distribution"
        return None if self.new_symbol not in {"", self.symbol} else f"{self.symbol} distributes no other symbol"

    def actions(self) -> list[CorporateAction]:
        return [spin_off(self, self.new_symbol, self.new_shares, self.old_shares)]


class WireRename(WireAction):
    """`symbol` is called `new_symbol` from the ex-date on."""

    new_symbol: str

    def concerned(self) -> set[str]:
        return {self.symbol, self.new_symbol}

    def fault(self) -> str | None:
        return f"{self.symbol} keeps its symbol" if self.new_symbol in {"", self.symbol} else None

    def actions(self) -> list[CorporateAction]:
        return [rename(self, self.new_symbol)]


class WireCashMerger(WirePayment):
    def actions(self) -> list[CorporateAction]:
        return [delisting(self, DelistingReason.MERGER, self.amount_usd, self.pay_date)]


class WireRedemption(WirePayment):
    def actions(self) -> list[CorporateAction]:
        return [delisting(self, DelistingReason.REDEMPTION, self.amount_usd, self.pay_date)]


class WireWorthless(WireAction):
    def actions(self) -> list[CorporateAction]:
        return [delisting(self, DelistingReason.WORTHLESS)]


class WireStockMerger(WireAction):
    """`new_shares` of `new_symbol`, and where there is any `cash_usd`, for `old_shares`, which are gone."""

    new_symbol: str
    new_shares: float
    old_shares: float
    cash_usd: float | None = None
    currency: str | None = None
    pay_date: WireDate | None = None

    def fault(self) -> str | None:
        if self.new_shares <= 0 or self.old_shares <= 0 or self.new_symbol in {"", self.symbol}:
            return f"{self.new_shares:g} shares of {self.new_symbol!r} for {self.old_shares:g} is no merger"
        if self.cash_usd is None:
            return None
        if self.currency not in {None, "USD"}:
            return f"paid in {self.currency}, not in USD"
        if self.cash_usd <= 0:
            return f"{self.cash_usd:g} USD is no payment"
        # Whether the cash is for one share or for all of them nobody has written down.
        return None if self.old_shares == 1 else f"{self.cash_usd:g} USD for {self.old_shares:g} shares is ambiguous"

    def actions(self) -> list[CorporateAction]:
        terms = delisting(self, DelistingReason.MERGER, self.cash_usd, self.pay_date)
        ratio = decimal_of(self.new_shares) / decimal_of(self.old_shares)
        return [replace(terms, new_symbol=self.new_symbol, share_ratio=ratio)]


def spin_off(row: WireAction, new_symbol: str, new_shares: float, old_shares: float) -> CorporateAction:
    ratio = decimal_of(new_shares) / decimal_of(old_shares)
    return CorporateAction(row.symbol, row.ex_date, ActionKind.SPIN_OFF, new_symbol=new_symbol, share_ratio=ratio)


def rename(row: WireAction, new_symbol: str) -> CorporateAction:
    return CorporateAction(row.symbol, row.ex_date, ActionKind.RENAME, new_symbol=new_symbol)


def delisting(
    row: WireAction, reason: DelistingReason, cash_usd: float | None = None, pay_date: date | None = None
) -> CorporateAction:
    amount = None if cash_usd is None else decimal_of(cash_usd)
    return CorporateAction(
        row.symbol, row.ex_date, ActionKind.DELISTING, amount_usd=amount, pay_date=pay_date, reason=reason
    )


def read_actions(
    rows: Sequence[Row[WireAction]], symbols: Mapping[str, str], first: date, last: date, quarantine: Quarantine
) -> list[CorporateAction]:
    """The actions with an ex-date in first..last, by symbol and ex-date. `symbols`: the vendor's name to ours.

    Vendors select by other dates too, so rows of other ex-dates are nothing bad. Different payments of one ex-date are
    added up; what is told twice (a company with two CUSIPs) counts once; different actions of one kind and ex-date
    contradict each other and none is used.
    """
    told = _ours(_sound(rows, symbols, first, last, quarantine), symbols)
    variants: dict[tuple[str, date, ActionKind, str | None], set[CorporateAction]] = defaultdict(set)
    for _, actions in told:
        for action in actions:
            variants[_slot(action)].add(action)
    known: dict[tuple[object, ...], Place] = {}
    actions_found: list[CorporateAction] = []
    for row, actions in told:
        contradicted = [action for action in actions if _is_contradicted(action, variants)]
        new = [action for action in actions if _identity(action, row) not in known]
        if contradicted:
            action, count = contradicted[0], len(variants[_slot(contradicted[0])])
            reason = f"{count} different {action.kind}s of {action.symbol} on {action.ex_date}"
            quarantine.add(row.place, row.raw, reason)
        elif not new:
            quarantine.add(row.place, row.raw, repeats(known[_identity(actions[0], row)]))
        else:
            known |= {_identity(action, row): row.place for action in new}
            actions_found += [replace(action, response_id=row.place.response_id) for action in new]
    return sorted(_added_up(actions_found), key=lambda one: (one.symbol, one.ex_date, one.kind, one.new_symbol or ""))


def _sound(
    rows: Sequence[Row[WireAction]], symbols: Mapping[str, str], first: date, last: date, quarantine: Quarantine
) -> list[Row[WireAction]]:
    sound = []
    for row in rows:
        if (reason := row.model.fault()) is not None:
            quarantine.add(row.place, row.raw, reason)
        elif not row.model.concerned() & symbols.keys():
            quarantine.add(row.place, row.raw, f"{row.model.symbol} was not asked for")
        elif first <= row.model.ex_date <= last:
            sound.append(row)
    return sound


def _ours(
    rows: Sequence[Row[WireAction]], symbols: Mapping[str, str]
) -> list[tuple[Row[WireAction], list[CorporateAction]]]:
    """The rows with their actions, under our names of the symbols."""

    def renamed(action: CorporateAction) -> CorporateAction:
        new_symbol = None if action.new_symbol is None else symbols.get(action.new_symbol, action.new_symbol)
        return replace(action, symbol=symbols.get(action.symbol, action.symbol), new_symbol=new_symbol)

    return [(row, [renamed(action) for action in row.model.actions()]) for row in rows]


def _slot(action: CorporateAction) -> tuple[str, date, ActionKind, str | None]:
    """Of what there can be only one: several companies may be spun off on one day, everything else happens once."""
    distributed = action.new_symbol if action.kind is ActionKind.SPIN_OFF else None
    return action.symbol, action.ex_date, action.kind, distributed


def _is_contradicted(
    action: CorporateAction, variants: Mapping[tuple[str, date, ActionKind, str | None], set[CorporateAction]]
) -> bool:
    return action.kind is not ActionKind.CASH_DIVIDEND and len(variants[_slot(action)]) > 1


def _identity(action: CorporateAction, row: Row[WireAction]) -> tuple[object, ...]:
    """What a repetition has in common with the first telling; a dividend may be told without its pay date."""
    if action.kind is ActionKind.CASH_DIVIDEND:
        return *_slot(action), action.amount_usd, row.model.nature()
    return _slot(action)


def _added_up(actions: Sequence[CorporateAction]) -> list[CorporateAction]:
    payments: dict[tuple[str, date], list[CorporateAction]] = defaultdict(list)
    for action in actions:
        if action.kind is ActionKind.CASH_DIVIDEND:
            payments[action.symbol, action.ex_date].append(action)
    dividends = [
        replace(
            paid[0],
            amount_usd=sum((one.amount_usd or ZERO for one in paid), Decimal(0)),
            pay_date=max((one.pay_date for one in paid if one.pay_date is not None), default=None),
            response_id=max(one.response_id or 0 for one in paid),
        )
        for paid in payments.values()
    ]
    return [action for action in actions if action.kind is not ActionKind.CASH_DIVIDEND] + dividends
