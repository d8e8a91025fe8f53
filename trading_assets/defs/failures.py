"""How a failure of the outside world becomes a failed run: one line, retried only where that can help."""

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from trading_assets.adapters.errors import AdapterError

MAX_RETRIES = 3
RETRY_WAIT_S = 5


@contextmanager
def one_line_failures() -> Iterator[None]:
    """Turn an AdapterError into a retry when it may pass by itself, else into a Failure that is not retried."""
    try:
        yield
    except AdapterError as error:
        if error.is_transient:
            raise dg.RetryRequested(MAX_RETRIES, RETRY_WAIT_S) from error
        raise dg.Failure(str(error), allow_retries=False) from error
