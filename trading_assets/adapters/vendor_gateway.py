"""The one way to talk to a data vendor: paced, patient, and every answer kept before anybody reads it.

An HTTP outcome becomes one of the classes of errors.py here. What an answer means belongs in the vendor's own adapter;
how an SDK's requests get here, in vendor_transport.py.
"""

from __future__ import annotations

import json
import random
import re
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, Protocol
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from trading_assets.adapters.errors import AdapterError, AuthFailed, ContractBroken, NotFound, RateLimited, Transient

SECRET_PARAMETERS = {"apikey", "api_key", "key", "token", "access_token", "secret", "crumb", "signature", "password"}
EXCERPT_LENGTH = 160


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back over the wire. The names of `headers` are lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class VendorResponse:
    """An answer as it is kept: with the question it belongs to, and without any secret of the request.

    `fetch_id` is shared by all answers to one question, such as the pages of one history. `dataset` says how to read
    the body ("bars/1h"), `question` what was asked for, in terms of plain JSON. Times are UTC.
    """

    fetch_id: uuid.UUID
    vendor: str
    dataset: str
    question: Mapping[str, Any]
    method: str
    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes
    requested_at: datetime
    received_at: datetime


@dataclass(frozen=True, slots=True)
class QuarantinedRow:
    """A row of an answer that was set aside: the `position`-th (from 0) of `section`, a list in the body."""

    response_id: int
    section: str
    position: int
    reason: str
    row: str


@dataclass(frozen=True, slots=True)
class Page:
    """One accepted answer to a question, already stored as `response_id`."""

    response_id: int
    url: str
    body: bytes


@dataclass(slots=True)
class Fetch:
    """A question to a vendor and the accepted answers so far, in the order in which they came."""

    fetch_id: uuid.UUID
    vendor: str
    dataset: str
    question: Mapping[str, Any]
    pages: list[Page] = field(default_factory=list)


class RateLimiter(Protocol):
    """Shared by everybody who uses one vendor key."""

    def reserve(self, patience_s: float) -> float:
        """Take one request and return the seconds to wait before sending it. Raises RateLimited beyond `patience_s`."""
        ...

    def pause(self, seconds: float) -> None:
        """The vendor asked for a rest: let nobody send for `seconds`."""
        ...


class ResponseStore(Protocol):
    def store(self, response: VendorResponse) -> int:
        """Keep the response; returns its id."""
        ...

    def quarantine(self, rows: Sequence[QuarantinedRow]) -> None:
        """Keep rows that were set aside; the same rows again change nothing."""
        ...


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and how long to try. A wait beyond `patience_s` is left to whoever started the run."""

    attempts: int = 4
    first_wait_s: float = 0.5
    patience_s: float = 120.0
    connect_timeout_s: float = 5.0
    read_timeout_s: float = 30.0
    total_timeout_s: float = 120.0

    def backoff_s(self, attempt: int) -> float:
        """The wait after the `attempt`-th failure (from 1), before jitter."""
        return min(self.first_wait_s * 2.0 ** (attempt - 1), self.patience_s)


class VendorGateway:
    """Sends the requests of one vendor's SDK: in turn, again where that can help, and never without keeping the answer.

    `check` looks at the body of an accepted answer before the SDK does, and raises ContractBroken.
    """

    def __init__(
        self,
        vendor: str,
        limiter: RateLimiter,
        store: ResponseStore,
        policy: RetryPolicy | None = None,
        check: Callable[[bytes], object] = lambda _body: None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.vendor = vendor
        self.policy = policy or RetryPolicy()
        self._limiter = limiter
        self._store = store
        self._check = check
        self._sleep = sleep
        self._fetch: Fetch | None = None

    @contextmanager
    def fetch(self, dataset: str, **question: Any) -> Iterator[Fetch]:
        """Everything that is sent in the block belongs to this question; `question` holds plain JSON values."""
        if self._fetch is not None:
            raise RuntimeError(f"{self._fetch.dataset} is still being fetched from {self.vendor}.")
        self._fetch = Fetch(uuid.uuid4(), self.vendor, dataset, question)
        try:
            yield self._fetch
        finally:
            self._fetch = None

    def quarantine(self, rows: Sequence[QuarantinedRow]) -> None:
        self._store.quarantine(rows)

    def exchange(
        self,
        method: str,
        url: str,
        send: Callable[[], Answer],
        accepts: Callable[[int], bool] = lambda _status: False,
        turn_within_s: float | None = None,
    ) -> Answer:
        """The vendor's answer with a status of success, or with another one that `accepts` lets through.

        The request waits for its turn no longer than `turn_within_s`, by default the policy's patience.
        `send` makes the request once and raises Transient when nothing came back. Raises AdapterError.
        """
        if self._fetch is None:
            raise RuntimeError(f"Nothing may be sent to {self.vendor} outside of VendorGateway.fetch.")
        address = without_secrets(url)
        patience_s = self.policy.patience_s if turn_within_s is None else turn_within_s
        for attempt in range(1, self.policy.attempts + 1):
            self._sleep(self._limiter.reserve(patience_s))
            wait = self.policy.backoff_s(attempt) * random.uniform(0.5, 1.0)  # noqa: S311  no secret depends on it
            try:
                answer = self._send_once(self._fetch, method, address, send, accepts)
            except Transient as failure:
                asked = failure.retry_after_s
                wait = wait if asked is None else asked
                if isinstance(failure, RateLimited):
                    self._limiter.pause(min(wait, self.policy.patience_s))
                if attempt == self.policy.attempts or wait > self.policy.patience_s:
                    raise
            else:
                return answer
            self._sleep(wait)
        raise AssertionError("a retry policy has at least one attempt")

    def _send_once(
        self, fetch: Fetch, method: str, address: str, send: Callable[[], Answer], accepts: Callable[[int], bool]
    ) -> Answer:
        requested_at = datetime.now(UTC)
        answer = send()
        response_id = self._store.store(
            VendorResponse(
                fetch.fetch_id,
                self.vendor,
                fetch.dataset,
                fetch.question,
                method,
                address,
                answer.status,
                {name: value for name, value in answer.headers.items() if name in KEPT_HEADERS},
                answer.body,
                requested_at,
                datetime.now(UTC),
            )
        )
        if accepts(answer.status):
            return answer
        if failure := failure_of(self.vendor, method, address, answer):
            raise failure
        try:
            self._check(answer.body)
        except ContractBroken as error:
            raise ContractBroken(f"{self.vendor}, {method} {address} (response {response_id}): {error}") from error
        fetch.pages.append(Page(response_id, address, answer.body))
        return answer


KEPT_HEADERS = {"content-type", "date", "retry-after", "x-request-id", "x-ratelimit-limit", "x-ratelimit-remaining"}
"""Of a response; the others may carry cookies."""


def failure_of(vendor: str, method: str, address: str, answer: Answer) -> AdapterError | None:
    """The error that the status of an answer stands for; None for success."""
    status = answer.status
    said = f"{vendor} answered {status} to {method} {address}{_excerpt(answer)}"
    if 200 <= status < 300:
        return None
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return RateLimited(
            f"{said}. Ask for less at once, or lower requests_per_minute in trading.yaml to what your plan allows.",
            retry_after_s=retry_after_s(answer.headers),
        )
    if status >= 500 or status in {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY}:
        return Transient(f"{said}. Try again later.", retry_after_s=retry_after_s(answer.headers))
    if status in {401, 402, 403, 407}:
        return AuthFailed(f"{said}. Check the key in the environment, and what your plan with {vendor} includes.")
    if status in {404, 410}:
        return NotFound(f"{said}. Check the symbols in trading.yaml and the vendor's address.")
    return ContractBroken(f"{said}. Check the vendor's address and settings in trading.yaml.")


def retry_after_s(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """The seconds that the header Retry-After asks for, as a number or as a date; None without a readable one."""
    value = headers.get("retry-after", "").strip()
    if re.fullmatch(r"\d+(\.\d+)?", value):
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - (now or datetime.now(UTC))).total_seconds())


def without_secrets(url: str) -> str:
    """`url` without its user, password and every query parameter that carries a key."""
    parts = urlsplit(url)
    query = [
        (name, value if name.lower().replace("-", "_") not in SECRET_PARAMETERS else "removed")
        for name, value in parse_qsl(parts.query, keep_blank_values=True)
    ]
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], query=urlencode(query)))


def json_document(body: bytes) -> Any:
    """The JSON value that `body` is. Raises ContractBroken for anything else, such as half of one or an HTML page."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        kind = "an empty body" if not body.strip() else "no JSON"
        raise ContractBroken(f"the answer is {kind} ({error}). Nothing was stored from it.") from error


def json_object(body: bytes) -> dict[str, Any]:
    """The JSON object that `body` is. Raises ContractBroken for any other value, and as json_document."""
    document = json_document(body)
    if not isinstance(document, dict):
        raise ContractBroken(
            f"the answer is a JSON {type(document).__name__}, not an object. Nothing was stored from it."
        )
    return document


def _excerpt(answer: Answer) -> str:
    """What an error page says, in a few words of one line."""
    text = answer.body[:4000].decode("utf-8", errors="replace")
    try:
        document = json.loads(answer.body)
        text = str(next(document[name] for name in ("message", "error", "description") if document.get(name)))
    except (ValueError, RecursionError, AttributeError, StopIteration):
        text = re.sub(r"(?s)<(script|style).*?</\1>|<[^>]*>", " ", text)
    words = " ".join(re.sub(r"[^\x20-\x7e]", " ", text).split())
    if not words:
        return ""
    return f" ({words[:EXCERPT_LENGTH]}{'...' if len(words) > EXCERPT_LENGTH else ''})"
