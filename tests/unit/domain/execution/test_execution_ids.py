import string
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading_assets.domain.execution.ids import activity_id, client_order_id, execution_id

hex_ids = st.binary(min_size=32, max_size=32).map(bytes.hex)


@given(hex_ids, st.integers(0, 99), st.integers(1, 999))
def test_client_order_id_of_any_intent_fits_the_broker(intent: str, leg: int, attempt: int) -> None:
    identifier = client_order_id(intent, leg, attempt)
    assert len(identifier) <= 48
    assert identifier.startswith("ta1-")
    assert identifier.endswith(f"-{leg}-{attempt}")
    assert set(identifier) <= set(string.ascii_lowercase + string.digits + "-")


def test_client_order_id_of_a_known_intent_never_changes() -> None:
    assert client_order_id("00" * 32, 0, 1) == "ta1-aaaaaaaaaaaaaaaaaaaaaaaaaa-0-1"
    assert client_order_id("ff" * 32, 2, 3) == "ta1-77777777777777777777777777-2-3"


def test_client_order_id_of_another_attempt_differs() -> None:
    assert client_order_id("ab" * 32, 0, 1) != client_order_id("ab" * 32, 0, 2)


@pytest.mark.parametrize(
    ("intent", "leg", "attempt"), [("ab", 0, 1), ("zz" * 32, 0, 1), ("ab" * 32, -1, 1), ("ab" * 32, 0, 0)]
)
def test_client_order_id_of_nonsense_is_refused(intent: str, leg: int, attempt: int) -> None:
    with pytest.raises(ValueError, match=r"intent|hexadecimal"):
        client_order_id(intent, leg, attempt)


def test_client_order_id_too_long_for_the_broker_is_refused() -> None:
    with pytest.raises(ValueError, match="longer than 48"):
        client_order_id("ab" * 32, 0, 10**18)


def test_execution_and_activity_ids_repeat_and_differ() -> None:
    at = datetime(2026, 5, 1, 13, 30, tzinfo=UTC)
    assert execution_id("o1", at, 0) == execution_id("o1", at, 0)
    assert len({execution_id("o1", at, 0), execution_id("o1", at, 1), execution_id("o2", at, 0)}) == 3
    session = date(2026, 5, 1)
    ids = {
        activity_id("acc", "split", session, "IBM", "s"),
        activity_id("acc", "split", session, "IBM", "t"),
        activity_id("acc", "fee_sec", session, None, None),
    }
    assert len(ids) == 3
