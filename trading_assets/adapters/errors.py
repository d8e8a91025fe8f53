"""Every failure of an outside thing is one of these; the message says what to do."""


class AdapterError(Exception):
    """Something outside failed."""

    is_transient = False


class Transient(AdapterError):
    """May succeed when tried again; `retry_after_s` is the wait that the other side asked for."""

    is_transient = True

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class Unreachable(Transient):
    """A service does not answer."""


class RateLimited(Transient):
    """The vendor asks us to wait."""


class AuthFailed(AdapterError):
    """The credentials are missing or wrong."""


class NotFound(AdapterError):
    """What was asked for does not exist."""


class OutOfSpace(AdapterError):
    """A disk is full; nothing was stored."""


class ContractBroken(AdapterError):
    """An answer or a stored fact is not what was agreed: nothing was stored from it."""


class LedgerConflict(AdapterError):
    """A computation disagrees with what the append-only ledger recorded."""
