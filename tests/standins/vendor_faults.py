"""What any vendor may answer or fail to, by name, with the one class of error that callers are told.

A vendor whose answers need other words for a fault says so in its own tests.
"""

from standins.http_vendor import HTML_PAGE, RESET, SILENCE, Reply, cut_short

from trading_assets.adapters.errors import AuthFailed, ContractBroken, NotFound, RateLimited, Transient, Unreachable


def status(code: int, **headers: str) -> Reply:
    return Reply({"message": f"answered {code}"}, code, {"Content-Type": "application/json", **headers})


FAULTS: dict[str, tuple[Reply, type[Exception]]] = {
    "400 bad request": (status(400), ContractBroken),
    "401 unauthorized": (status(401), AuthFailed),
    "403 forbidden": (status(403), AuthFailed),
    "404 not found": (status(404), NotFound),
    "408 request timeout": (status(408), Transient),
    "409 conflict": (status(409), ContractBroken),
    "422 unprocessable": (status(422), ContractBroken),
    "425 too early": (status(425), Transient),
    "429 without Retry-After": (status(429), RateLimited),
    "429 with Retry-After": (status(429, **{"Retry-After": "1"}), RateLimited),
    "429 with Retry-After beyond patience": (status(429, **{"Retry-After": "3600"}), RateLimited),
    "500 internal error": (status(500), Transient),
    "502 as a page": (Reply("<h1>Bad Gateway</h1>", 502, {}), Transient),
    "503 unavailable": (status(503), Transient),
    "504 without a body": (Reply(b"", 504), Transient),
    "reset": (RESET, Unreachable),
    "silence": (SILENCE, Unreachable),
    "cut short": (cut_short({"bars": {}, "results": [], "chart": {}}), Unreachable),
    "truncated JSON": (Reply('{"bars": {"AAPL": [{"t":'), ContractBroken),
    "page instead of JSON": (HTML_PAGE, ContractBroken),
    "empty body": (Reply(b""), ContractBroken),
    "null": (Reply("null"), ContractBroken),
    "list": (Reply([]), ContractBroken),
    "something else": (Reply({"hello": 1}), ContractBroken),
}
