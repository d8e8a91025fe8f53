"""Puts a gateway under an SDK: the SDK still builds its requests, but every one of them is sent by VendorGateway.

For SDKs over `requests`: mount a GatewayAdapter on the SDK's session. Imported only by the adapter that needs it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import requests
import urllib3
from requests.adapters import HTTPAdapter

from trading_assets.adapters.errors import ContractBroken, Transient, Unreachable
from trading_assets.adapters.vendor_gateway import Answer, RetryPolicy, VendorGateway, without_secrets


class GatewayAdapter(HTTPAdapter):
    """Sends the requests of a `requests.Session` through a gateway, which waits, retries and keeps the answers.

    `rewrite` may change the address that is really called, `accepts` lets a request's answer with a status other than
    success through to the SDK. Neither the session nor this adapter retries by itself. `turn_within_s` bounds the wait
    for a request's turn where that is to be shorter than the gateway's patience.
    """

    turn_within_s: float | None = None

    def __init__(
        self,
        gateway: VendorGateway,
        rewrite: Callable[[str], str] = lambda url: url,
        accepts: Callable[[str, int], bool] = lambda _url, _status: False,
    ) -> None:
        super().__init__(max_retries=0)
        self._gateway = gateway
        self._rewrite = rewrite
        self._accepts = accepts

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: float | tuple[float | None, float | None] | None = None,
        verify: Any = True,
        cert: Any = None,
        proxies: dict[str, str] | None = None,
    ) -> requests.Response:
        """As in `requests`, with the gateway's own timeouts, and with the body already read. Raises AdapterError."""
        del stream, timeout
        asked = request.url or ""
        request.url = self._rewrite(asked)
        answered: list[requests.Response] = []

        def send_once() -> Answer:
            response = self._send_and_read(request, verify, cert, proxies)
            answered.append(response)
            headers = {name.lower(): value for name, value in response.headers.items()}
            return Answer(response.status_code, headers, response.content)

        def accepts(status: int) -> bool:
            return self._accepts(asked, status)

        self._gateway.exchange(request.method or "GET", asked, send_once, accepts, self.turn_within_s)
        request.url = asked
        return answered[-1]

    def _send_and_read(
        self, request: requests.PreparedRequest, verify: Any, cert: Any, proxies: dict[str, str] | None
    ) -> requests.Response:
        policy = self._gateway.policy
        deadline = time.monotonic() + policy.total_timeout_s
        timeouts = (policy.connect_timeout_s, policy.read_timeout_s)
        address = without_secrets(request.url or "")
        try:
            response = super().send(request, True, timeouts, verify, cert, proxies)
            # The read timeout starts anew with every packet: a trickle of them would never end.
            response._content = b"".join(_parts_until(response, deadline, policy))
        except urllib3.exceptions.DecodeError as error:
            raise ContractBroken(f"{self._gateway.vendor} sent what cannot be unpacked, {address}: {error}.") from error
        except (requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema) as error:
            raise ContractBroken(f"{address} is no address. Correct {self._gateway.vendor} in trading.yaml.") from error
        except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            raise Unreachable(
                f"{self._gateway.vendor} does not answer at {address} ({_cause(error)}). Try again later, or check "
                "the network and the vendor's address in trading.yaml."
            ) from error
        return response


def _parts_until(response: requests.Response, deadline: float, policy: RetryPolicy) -> Iterator[bytes]:
    # read1 returns what has arrived; read would wait until a whole chunk has.
    while part := response.raw.read1(decode_content=True):
        if time.monotonic() > deadline:
            response.close()
            raise Transient(f"an answer was not complete after {policy.total_timeout_s:.0f} s. Try again later.")
        yield part
    if response.raw.length_remaining:
        raise urllib3.exceptions.ProtocolError(f"{response.raw.length_remaining} bytes of the answer are missing")


def _cause(error: BaseException) -> str:
    """The innermost reason: `requests` wraps it in layers that repeat the address."""
    while (inner := error.__cause__ or error.__context__ or getattr(error, "reason", None)) is not None:
        if not isinstance(inner, BaseException):
            break
        error = inner
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:200]
