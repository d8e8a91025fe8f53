"""An answer without a bar in a finished session is refused."""

from datetime import date

import pandas as pd
import pytest

from trading_assets.domain.market.bars import ensure_no_empty_session
from trading_assets.domain.values import Timeframe

MONDAY, TUESDAY = date(2022, 5, 2), date(2022, 5, 3)


def answer(*rows: tuple[str, date]) -> pd.DataFrame:
    return pd.DataFrame(list(rows), columns=["symbol", "session_date"])


def test_answer_with_every_session_is_accepted() -> None:
    frame = answer(("A", MONDAY), ("A", TUESDAY))
    ensure_no_empty_session(frame, ["A"], Timeframe.SESSION, [MONDAY, TUESDAY], {"A": None})
    with pytest.raises(ValueError, match="2022-05-03"):
        ensure_no_empty_session(frame.iloc[:1], ["A"], Timeframe.SESSION, [MONDAY, TUESDAY], {"A": None})


def test_answer_without_a_finished_session_is_refused_by_name() -> None:
    frame = answer(("A", MONDAY), ("B", MONDAY))
    with pytest.raises(ValueError, match=r"no 1h bar of A for the finished session 2022-05-03 \(and 1 more\)"):
        ensure_no_empty_session(frame, ["A", "B"], Timeframe.HOUR, [MONDAY, TUESDAY], {"A": None, "B": None})


def test_session_in_progress_may_be_empty_until_it_is_finished() -> None:
    frame = answer(("A", MONDAY))
    ensure_no_empty_session(frame, ["A"], Timeframe.SESSION, [MONDAY], {"A": None})
    with pytest.raises(ValueError, match="2022-05-03"):
        ensure_no_empty_session(frame, ["A"], Timeframe.SESSION, [MONDAY, TUESDAY], {"A": None})


def test_session_before_the_first_one_of_a_symbol_may_be_empty() -> None:
    frame = answer(("A", TUESDAY))
    ensure_no_empty_session(frame, ["A"], Timeframe.SESSION, [MONDAY, TUESDAY], {"A": TUESDAY})
    with pytest.raises(ValueError, match="2022-05-02"):
        ensure_no_empty_session(frame, ["A"], Timeframe.SESSION, [MONDAY, TUESDAY], {"A": MONDAY})


def test_symbol_without_an_instrument_is_refused() -> None:
    with pytest.raises(ValueError, match=r"A is not in market\.instruments"):
        ensure_no_empty_session(answer(), ["A"], Timeframe.SESSION, [], {})
