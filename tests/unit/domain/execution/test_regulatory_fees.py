from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from trading_assets.domain.execution.fees import (
    FINRA_TAF,
    SCHEDULES,
    SEC_SECTION_31,
    FeeSchedule,
    are_rates_known,
    fee_activities,
    fees_of_session,
)
from trading_assets.domain.execution.ledger import ActivityKind, Fill
from trading_assets.domain.values import Side

SESSION = date(2026, 5, 1)
CLOSE = datetime(2026, 5, 1, 20, tzinfo=UTC)


def sale(qty: int, price: str, session: date = SESSION, side: Side = Side.SELL) -> Fill:
    return Fill("e", "o", "acc", "s", "IBM", side, Decimal(qty), Decimal(price), CLOSE, CLOSE, session)


def named(sec: str, taf: str) -> list[tuple[ActivityKind, Decimal]]:
    return [(ActivityKind.FEE_SEC, Decimal(sec)), (ActivityKind.FEE_TAF, Decimal(taf))]


def test_fees_of_one_sale_are_rounded_up_to_the_cent() -> None:
    assert fees_of_session([sale(1_000, "50.00")]) == named("1.03", "0.20")


def test_fees_of_ten_sales_a_day_are_rounded_once() -> None:
    assert fees_of_session([sale(100, "50.00")] * 10) == named("1.03", "0.20")


def test_taf_of_a_large_trade_is_capped_a_trade() -> None:
    assert dict(fees_of_session([sale(100_000, "50.00")]))[ActivityKind.FEE_TAF] == Decimal("9.79")
    assert dict(fees_of_session([sale(100_000, "50.00")] * 2))[ActivityKind.FEE_TAF] == Decimal("19.58")


def test_fees_of_purchases_are_none() -> None:
    assert fees_of_session([sale(1_000, "50.00", side=Side.BUY)]) == []


def test_fee_of_zero_rate_is_not_booked() -> None:
    assert [kind for kind, _ in fees_of_session([sale(1_000, "50.00", date(2025, 6, 2))])] == [ActivityKind.FEE_TAF]


def test_fee_activities_are_paid_by_the_account_at_the_close() -> None:
    sec, taf = fee_activities("acc", [sale(1_000, "50.00")], SESSION, CLOSE)
    assert (sec.amount_usd, taf.amount_usd) == (Decimal("-1.03"), Decimal("-0.20"))
    assert (sec.at, sec.settles_on, sec.strategy, sec.symbol) == (CLOSE, SESSION, None, None)
    assert sec.activity_id != taf.activity_id
    assert fee_activities("acc", [sale(1_000, "50.00")], SESSION, CLOSE) == [sec, taf]


@pytest.mark.parametrize(
    ("schedule", "day", "rate"),
    [
        (SEC_SECTION_31, "2010-03-31", "12.70"),
        (SEC_SECTION_31, "2010-04-01", "16.90"),
        (SEC_SECTION_31, "2011-01-21", "19.20"),
        (SEC_SECTION_31, "2012-02-21", "18.00"),
        (SEC_SECTION_31, "2013-03-01", "22.40"),
        (SEC_SECTION_31, "2023-02-27", "8.00"),
        (SEC_SECTION_31, "2024-05-21", "8.00"),
        (SEC_SECTION_31, "2024-05-22", "27.80"),
        (SEC_SECTION_31, "2025-05-14", "0"),
        (SEC_SECTION_31, "2026-04-04", "20.60"),
        (FINRA_TAF, "2010-03-01", "0.000075"),
        (FINRA_TAF, "2012-07-01", "0.000119"),
        (FINRA_TAF, "2025-12-31", "0.000166"),
        (FINRA_TAF, "2026-01-01", "0.000195"),
        (FINRA_TAF, "2028-06-01", "0.000240"),
    ],
)
def test_rate_on_a_day_is_the_one_in_force(schedule: FeeSchedule, day: str, rate: str) -> None:
    assert schedule.rate_on(date.fromisoformat(day)) == Decimal(rate)
    assert schedule.is_rate_known(date.fromisoformat(day))


def test_rate_before_the_first_source_is_zero_and_said_to_be_unknown() -> None:
    day = date(2003, 8, 29)
    assert (FINRA_TAF.rate_on(day), FINRA_TAF.is_rate_known(day)) == (0, False)
    assert not are_rates_known(day)
    assert [kind for kind, _ in fees_of_session([sale(1_000, "50.00", day)])] == [ActivityKind.FEE_SEC]


def test_rate_in_a_gap_between_sources_is_zero_and_said_to_be_unknown() -> None:
    day = date(2015, 6, 1)
    assert (SEC_SECTION_31.rate_on(day), SEC_SECTION_31.is_rate_known(day)) == (0, False)
    assert FINRA_TAF.is_rate_known(day)


def test_rates_of_the_sample_years_2010_to_2013_are_all_known() -> None:
    assert all(are_rates_known(date(year, month, 1)) for year in (2010, 2011, 2012) for month in range(1, 13))
    assert are_rates_known(date(2013, 3, 1))


@pytest.mark.parametrize("schedule", SCHEDULES, ids=lambda schedule: schedule.kind.value)
def test_rates_ascend_by_date_and_name_their_source(schedule: FeeSchedule) -> None:
    days = [row.effective for row in schedule.rates]
    assert days == sorted(set(days))
    assert all(row.source for row in schedule.rates)
    assert all((row.cap is not None) == schedule.is_per_share for row in schedule.rates if row.rate is not None)
