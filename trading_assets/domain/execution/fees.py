"""Regulatory fees on sales, by effective date: SEC Section 31 on the principal, FINRA TAF on shares with a cap a trade.

A fee is summed over an account's session and rounded up to the cent once, as Alpaca books it. Commission on US equities
is zero at Alpaca and has no row.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import ROUND_CEILING, Decimal

from trading_assets.domain.execution.ids import activity_id
from trading_assets.domain.execution.ledger import Activity, ActivityKind, Fill
from trading_assets.domain.values import ZERO, Side

CENT = Decimal("0.01")
MILLION = Decimal(1_000_000)


@dataclass(frozen=True, slots=True)
class FeeRate:
    """In force from `effective` until the next row. `rate` is None where we have no source for what was in force."""

    effective: date
    rate: Decimal | None
    cap: Decimal | None
    source: str


@dataclass(frozen=True, slots=True)
class FeeSchedule:
    """A fee's history. `rates` ascend by date; `is_per_share` tells a fee on shares from one on a million USD sold."""

    kind: ActivityKind
    is_per_share: bool
    rates: tuple[FeeRate, ...]

    def rate_on(self, day: date) -> Decimal:
        """USD a share, or a million USD sold, in force on `day`; zero where `is_rate_known` is false."""
        row = self.row_on(day)
        return ZERO if row is None or row.rate is None else row.rate

    def is_rate_known(self, day: date) -> bool:
        """False before the first sourced row and in gaps between sources: a report of such days must say so."""
        row = self.row_on(day)
        return row is not None and row.rate is not None

    def charge(self, fill: Fill) -> Decimal:
        """The fee of one sale in USD, not rounded; zero for a purchase."""
        if fill.side is Side.BUY:
            return ZERO
        rate = self.rate_on(fill.session_date)
        if not self.is_per_share:
            return fill.qty * fill.price * rate / MILLION
        row = self.row_on(fill.session_date)
        cap = None if row is None else row.cap
        return fill.qty * rate if cap is None else min(fill.qty * rate, cap)

    def row_on(self, day: date) -> FeeRate | None:
        """What was in force on `day`; None before the first row."""
        index = bisect_right(self.rates, day, key=lambda row: row.effective)
        return self.rates[index - 1] if index else None


def _rate(effective: str, rate: str | None, source: str, cap: str | None = None) -> FeeRate:
    return FeeRate(
        date.fromisoformat(effective),
        None if rate is None else Decimal(rate),
        None if cap is None else Decimal(cap),
        source,
    )


_GAP = "the rate changed in this gap on a day for which no source was found"
_TRADERSTATUS = "http://traderstatus.com/secfeerates.htm (list of the SEC's fee rate advisories)"
_FINRA = "https://www.finra.org/rules-guidance"
_SR_2020_032 = f"{_FINRA}/rule-filings/sr-finra-2020-032/fee-increase-schedule"
_SR_2024_019 = "SR-FINRA-2024-019, https://www.govinfo.gov/content/pkg/FR-2024-11-27/html/2024-27764.htm"

SEC_SECTION_31 = FeeSchedule(
    ActivityKind.FEE_SEC,
    is_per_share=False,
    rates=(
        _rate("2000-01-01", "33.30", _TRADERSTATUS),
        _rate("2001-12-28", "15.00", _TRADERSTATUS),
        _rate("2002-04-01", "30.10", _TRADERSTATUS),
        _rate("2003-03-22", "25.20", "NASD member alert of 2003-03-03"),
        _rate("2003-04-01", "46.80", "NASD member alert of 2003-03-03"),
        _rate("2004-02-22", "39.00", _TRADERSTATUS),
        _rate("2004-04-01", "23.40", _TRADERSTATUS),
        _rate("2005-01-07", "32.90", _TRADERSTATUS),
        _rate("2005-04-01", "41.80", _TRADERSTATUS),
        _rate("2005-12-22", "30.70", _TRADERSTATUS),
        _rate("2006-10-01", None, _GAP),
        _rate("2007-05-07", "15.30", "rate in force says https://www.sec.gov/news/press/2007/2007-89.htm"),
        _rate("2007-10-01", None, _GAP),
        _rate("2008-02-29", "11.00", f"rate in force says {_FINRA}/notices/information-notice-031008"),
        _rate("2008-04-01", "5.60", f"{_FINRA}/notices/information-notice-031008"),
        _rate("2008-10-01", None, _GAP),
        _rate("2009-04-30", "25.70", "rate in force says https://www.sec.gov/news/press/2009/2009-100.htm"),
        _rate("2010-01-15", "12.70", "https://www.sec.gov/news/press/2009/2009-270.htm"),
        _rate("2010-04-01", "16.90", "https://www.finra.org/industry/notices/information-notice-031010"),
        _rate("2011-01-21", "19.20", "https://www.sec.gov/news/press/2010/2010-255.htm"),
        _rate("2012-02-21", "18.00", "SEC Fee Rate Advisory #5 for fiscal year 2012"),
        _rate(
            "2012-04-01",
            "22.40",
            "mid-year order, 77 FR 13663; https://www.sec.gov/news/press-release/2012-2012-232htm",
        ),
        _rate("2013-03-28", None, _GAP),
        _rate("2014-03-03", "17.40", f"rate in force says {_FINRA}/notices/information-notice-030314"),
        _rate("2014-03-18", "22.10", f"{_FINRA}/notices/information-notice-030314"),
        _rate("2014-12-12", None, _GAP),
        _rate("2016-02-25", "21.80", f"rate in force says {_FINRA}/notices/information-notice-031516"),
        _rate("2017-07-04", "23.10", "SEC fee rate advisory, 60 days after the fiscal year 2017 appropriation"),
        _rate("2018-05-22", "13.00", f"{_FINRA}/notices/information-notice-050718"),
        _rate("2019-04-16", "20.70", "SEC Fee Rate Advisory #2 for fiscal year 2019"),
        _rate("2020-02-18", "22.10", "FINRA information notice of 2020-02-03"),
        _rate("2021-02-25", "5.10", "SEC Fee Rate Advisory #2 for fiscal year 2021"),
        _rate("2022-05-14", "22.90", "SEC Fee Rate Advisory #1 for fiscal year 2022"),
        _rate("2023-02-27", "8.00", "SEC release 34-96724, 88 FR 5051"),
        _rate("2024-05-22", "27.80", "SEC release 34-99973, 89 FR 29402"),
        _rate("2025-05-14", "0.00", "SEC release 34-102779, 90 FR 15492"),
        _rate("2026-04-04", "20.60", "SEC fee rate advisory for fiscal year 2026"),
    ),
)

FINRA_TAF = FeeSchedule(
    ActivityKind.FEE_TAF,
    is_per_share=True,
    rates=(
        _rate("2003-09-01", "0.0001", "https://www.finra.org/industry/notices/03-43; SR-NASD-2003-93", cap="10.00"),
        _rate("2004-11-01", "0.000075", f"NASD Notice to Members 04-84; {_FINRA}/notices/11-27", cap="3.75"),
        _rate("2011-07-01", "0.000090", f"{_FINRA}/notices/11-27", cap="4.50"),
        _rate("2012-03-01", "0.000095", "https://www.finra.org/industry/notices/12-06", cap="4.75"),
        _rate("2012-07-01", "0.000119", f"order of approval, 77 FR 38690; {_SR_2020_032}", cap="5.95"),
        _rate("2022-01-01", "0.000130", _SR_2020_032, cap="6.49"),
        _rate("2023-01-01", "0.000145", _SR_2020_032, cap="7.27"),
        _rate("2024-01-01", "0.000166", _SR_2020_032, cap="8.30"),
        # A holiday from 2026-10-01 to 2026-12-31 is filed (SR-FINRA-2026-021) and not confirmed: the fee is charged.
        _rate("2026-01-01", "0.000195", _SR_2024_019, cap="9.79"),
        _rate("2027-01-01", "0.000232", _SR_2024_019, cap="11.61"),
        _rate("2028-01-01", "0.000240", _SR_2024_019, cap="12.05"),
        _rate("2029-01-01", None, f"a further rate is scheduled by {_SR_2024_019}"),
    ),
)

SCHEDULES = (SEC_SECTION_31, FINRA_TAF)


def are_rates_known(day: date) -> bool:
    """Whether every fee's rate of `day` has a source; where not, that fee is booked as zero."""
    return all(schedule.is_rate_known(day) for schedule in SCHEDULES)


def fees_of_session(fills: Iterable[Fill]) -> list[tuple[ActivityKind, Decimal]]:
    """What one account's fills of one session cost, positive USD to the cent, one row a fee that is not zero."""
    sales = [fill for fill in fills if fill.side is Side.SELL]
    totals = ((schedule.kind, sum((schedule.charge(fill) for fill in sales), ZERO)) for schedule in SCHEDULES)
    return [(kind, total.quantize(CENT, ROUND_CEILING)) for kind, total in totals if total]


def fee_activities(account_id: str, fills: Iterable[Fill], session: date, at: datetime) -> list[Activity]:
    """The session's fees as ledger records of the account, booked at `at`, the session's close (UTC)."""
    return [
        Activity(
            activity_id=activity_id(account_id, kind, session, None, None),
            account_id=account_id,
            kind=kind,
            at=at,
            settles_on=session,
            session_date=session,
            amount_usd=-amount,
        )
        for kind, amount in fees_of_session(fills)
    ]
