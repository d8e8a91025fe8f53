"""What was known about companies, on both sides of a filing, of an amendment and of a changed fact."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

from trading_assets.adapters.postgres.database import Database
from trading_assets.adapters.postgres.fundamentals import facts_as_of, figures_as_of, store_facts, store_figures
from trading_assets.domain.market.fundamentals import ObservedFact, ReportedFigure, Statement, readable_from

FILED = readable_from(date(2024, 5, 2))
AMENDED = readable_from(date(2024, 8, 1))
MOMENT = timedelta(microseconds=1)
FAR_FUTURE = datetime(2100, 1, 1, tzinfo=UTC)


def revenue(amount: float, filed_at: datetime | None, symbol: str = "X") -> ReportedFigure:
    quarter = date(2024, 3, 30)
    return ReportedFigure(symbol, Statement.INCOME, "revenues", 3, quarter, amount, "USD", filed_at=filed_at)


def store(database: Database, *figures: ReportedFigure) -> int:
    with database.transaction() as connection:
        return store_figures(connection, figures, "polygon")


def observe(database: Database, *facts: tuple[str, float]) -> int:
    observed = [ObservedFact("X", "key_statistics", item, str(number), number) for item, number in facts]
    with database.transaction() as connection:
        return store_facts(connection, observed, "polygon")


def known(database: Database, at: datetime, symbols: Sequence[str] = ("X",)) -> list[float]:
    amounts: list[float] = figures_as_of(database, at, symbols)["amount"].tolist()
    return amounts


def test_filing_counts_from_the_midnight_after_its_day_in_new_york() -> None:
    assert readable_from(date(2024, 5, 2)) == datetime(2024, 5, 3, 4, tzinfo=UTC)
    assert readable_from(date(2024, 12, 31)) == datetime(2025, 1, 1, 5, tzinfo=UTC)


def test_figure_fetched_years_later_counts_from_its_filing(database: Database) -> None:
    assert store(database, revenue(100.0, FILED), revenue(7.0, FILED, "Y")) == 2
    assert known(database, FILED - MOMENT) == []
    assert known(database, FILED) == [100.0]
    assert known(database, FILED, ["X", "Y"]) == [100.0, 7.0]


def test_amendment_that_comes_with_the_first_fetch_counts_from_its_own_filing(database: Database) -> None:
    history = [revenue(120.0, AMENDED), revenue(100.0, FILED)]
    assert store(database, *history) == 2
    assert known(database, AMENDED - MOMENT) == [100.0]
    assert known(database, AMENDED) == [120.0]
    assert store(database, *history) == 0


def test_amendment_fetched_later_leaves_the_past_as_it_was(database: Database) -> None:
    store(database, revenue(100.0, FILED))
    assert store(database, revenue(100.0, FILED), revenue(120.0, AMENDED)) == 1
    with database.transaction() as connection:
        row = connection.execute("select known_at from market.financials where version = 2").fetchone()
    assert row is not None
    assert known(database, AMENDED) == [100.0]
    assert known(database, row[0] - MOMENT) == [100.0]
    assert known(database, row[0]) == [120.0]
    assert store(database, revenue(100.0, FILED), revenue(120.0, AMENDED)) == 0


def test_figure_corrected_under_the_same_filing_counts_from_the_correction(database: Database) -> None:
    store(database, revenue(100.0, FILED))
    assert store(database, revenue(101.0, FILED)) == 1
    assert known(database, AMENDED) == [100.0]
    assert known(database, FAR_FUTURE) == [101.0]


def test_figure_without_a_filing_counts_from_when_it_was_seen(database: Database) -> None:
    before = datetime.now(UTC) - timedelta(minutes=1)
    assert store(database, revenue(100.0, None)) == 1
    assert store(database, revenue(100.0, None)) == 0
    assert known(database, before) == []
    assert known(database, FAR_FUTURE) == [100.0]


def test_changed_fact_is_seen_from_the_moment_it_changed(database: Database) -> None:
    assert observe(database, ("beta", 1.2), ("market_cap", 5.0)) == 2
    assert observe(database, ("beta", 1.2), ("market_cap", 6.0)) == 1
    with database.transaction() as connection:
        row = connection.execute("select known_at from market.fundamentals where version = 2").fetchone()
    assert row is not None

    def market_cap(at: datetime) -> list[float]:
        facts = facts_as_of(database, at, ["X"])
        return facts.loc[facts["item"] == "market_cap", "number"].tolist()

    assert market_cap(datetime(2024, 1, 1, tzinfo=UTC)) == []
    assert market_cap(row[0] - MOMENT) == [5.0]
    assert market_cap(row[0]) == [6.0]


def test_end_of_a_list_that_became_shorter_is_gone_from_then_on(database: Database) -> None:
    observe(database, ("holders.0", 1.0), ("holders.1", 2.0))
    with database.transaction() as connection:
        other = ObservedFact("X", "key_statistics", "elsewhere", "1", 1.0)
        store_facts(connection, [other], "yahoo")
    assert observe(database, ("holders.0", 1.0)) == 1
    assert observe(database, ("holders.0", 1.0)) == 0
    with database.transaction() as connection:
        row = connection.execute("select known_at from market.fundamentals where is_gone").fetchone()
    assert row is not None
    assert facts_as_of(database, row[0] - MOMENT, ["X"])["item"].tolist() == ["elsewhere", "holders.0", "holders.1"]
    assert facts_as_of(database, row[0], ["X"])["item"].tolist() == ["elsewhere", "holders.0"]
    assert observe(database, ("holders.0", 1.0), ("holders.1", 3.0)) == 1
    assert facts_as_of(database, FAR_FUTURE, ["X"])["number"].tolist() == [1.0, 1.0, 3.0]


def test_topic_that_is_left_out_keeps_its_facts(database: Database) -> None:
    observe(database, ("beta", 1.2))
    with database.transaction() as connection:
        assert store_facts(connection, [ObservedFact("X", "profile", "city", "Rome", None)], "polygon") == 1
        assert store_facts(connection, [], "polygon") == 0
    assert facts_as_of(database, FAR_FUTURE, ["X"])["item"].tolist() == ["beta", "city"]
