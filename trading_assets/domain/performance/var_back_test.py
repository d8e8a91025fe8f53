"""Whether value at risk kept its word: how often the session after a forecast was worse, against how often it said.

Kupiec's test of the proportion of failures. The forecasts themselves are made in domain/risk.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from trading_assets.domain.performance.returns import Floats

SIGNIFICANCE = 0.05


class BackTestVerdict(StrEnum):
    PLAUSIBLE = "plausible"
    TOO_MANY = "too many"
    TOO_FEW = "too few"
    UNTESTED = "untested"


@dataclass(frozen=True, slots=True)
class VarBackTest:
    """Forecasts with the `tail` probability of a worse session, and the `exceptions` that were worse.

    `p_value`: how likely a share of exceptions at least as unusual is if the forecasts are right; None without any.
    """

    tail: float
    forecasts: int
    exceptions: int
    p_value: float | None

    @property
    def expected(self) -> float:
        return self.tail * self.forecasts

    @property
    def verdict(self) -> BackTestVerdict:
        if self.p_value is None:
            return BackTestVerdict.UNTESTED
        if self.p_value >= SIGNIFICANCE:
            return BackTestVerdict.PLAUSIBLE
        return BackTestVerdict.TOO_MANY if self.exceptions > self.expected else BackTestVerdict.TOO_FEW


def exceptions(returns: Floats, forecasts: Floats) -> npt.NDArray[np.bool_]:
    """Where the return of a session is below the forecast made for it; NaN forecasts nothing."""
    return np.asarray(returns < forecasts, dtype=np.bool_)


def back_test(returns: Floats, forecasts: Floats, tail: float) -> VarBackTest:
    """Count and judge. `forecasts` are returns too (a loss is negative); NaN where none was made for that session.

    A forecast of zero is that of an empty book: it can neither hold nor fail, and does not count.
    """
    counted = np.isfinite(forecasts) & (forecasts != 0)
    failed = int(exceptions(returns[counted], forecasts[counted]).sum())
    total = int(counted.sum())
    return VarBackTest(tail, total, failed, kupiec(failed, total, tail) if total else None)


def kupiec(failed: int, forecasts: int, tail: float) -> float:
    """The p-value of `failed` out of `forecasts` when each fails with probability `tail`; one forecast at least.

    Kupiec: Techniques for Verifying the Accuracy of Risk Measurement Models (1995). The likelihood ratio follows a
    chi-squared distribution with one degree of freedom.
    """
    share = failed / forecasts
    ratio = 2 * (_log_likelihood(failed, forecasts, share) - _log_likelihood(failed, forecasts, tail))
    return math.erfc(math.sqrt(max(ratio, 0.0) / 2))


def _log_likelihood(failed: int, forecasts: int, probability: float) -> float:
    held = forecasts - failed
    # 0 log 0 is 0: what cannot happen did not.
    return (failed * math.log(probability) if failed else 0.0) + (held * math.log1p(-probability) if held else 0.0)
