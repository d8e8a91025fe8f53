"""Headers, addresses and error pages as the gateway reads them."""

from datetime import UTC, datetime

import pytest

from trading_assets.adapters.vendor_gateway import Answer, failure_of, retry_after_s, without_secrets

NOON = datetime(2024, 5, 6, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("17", 17),
        (" 0.5 ", 0.5),
        ("Mon, 06 May 2024 12:01:30 GMT", 90),
        ("Mon, 06 May 2024 11:00:00 GMT", 0),
        ("soon", None),
        ("-5", None),
        ("", None),
    ],
)
def test_retry_after_is_a_number_or_a_date(value: str, seconds: float | None) -> None:
    assert retry_after_s({"retry-after": value}, NOON) == seconds


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://h/v2?symbols=A%2CB&page_token=x", "https://h/v2?symbols=A%2CB&page_token=x"),
        ("https://h/v2?apiKey=s&a=", "https://h/v2?apiKey=removed&a="),
        ("https://user:s@h:8/v2?crumb=s&API-KEY=s", "https://h:8/v2?crumb=removed&API-KEY=removed"),
    ],
)
def test_address_keeps_everything_but_secrets(url: str, shown: str) -> None:
    assert without_secrets(url) == shown


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"code": 1, "message": "subscription does not permit"}', "(subscription does not permit)"),
        (b'{"status": "ERROR", "error": "Unknown API Key"}', "(Unknown API Key)"),
        (b"<html><style>p {}</style><body><h1>Bad\x00 Gateway</h1>\n</body></html>", "(Bad Gateway)"),
        (b"[1]", "([1])"),
        (b"", "GET https://h/."),
        (b"word " * 100, "...)"),
    ],
)
def test_failure_says_in_one_line_what_the_vendor_said(body: bytes, said: str) -> None:
    failure = failure_of("acme", "GET", "https://h/", Answer(500, {}, body))
    assert said in str(failure)
    assert "\n" not in str(failure)
    assert len(str(failure)) < 300
