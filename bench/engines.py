"""One engine's portfolio backtest of the same crossover over the same bars, in a process of its own.

Run as a script by bench/backtest.py, with the interpreter that has the engine: engines.py ENGINE FOLDER ROUNDS. The
folder holds open.npy and close.npy (float64, bars x symbols) and signals.npy (bool, pairs x bars x symbols); what is
compiled is kept beside it. It prints one line of JSON. Only the engine `ours` imports the platform.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

CASH, INVESTED, SLIPPAGE_BPS = 1_000_000, 0.9, 5
HOURS_A_SESSION = 7

Run = Callable[[], dict[str, float]]


def ours(opened: Any, closed: Any, signals: Any) -> Run:
    """The compiled loop with its whole risk review, log of intents and fills, and equity of every bar."""
    from trading_assets.domain.kernel.compiler import keep_in

    keep_in(Path(sys.argv[2]).parent / "compiled")
    from trading_assets.domain.kernel.arrays import (
        EQUITY_CASH,
        EQUITY_POSITIONS,
        FILLS,
        MILLION,
        SHORT_COLUMNS,
        Market,
        Terms,
        Wants,
    )
    from trading_assets.domain.kernel.run import lived

    bars, symbols = closed.shape
    session = np.arange(bars) // HOURS_A_SESSION
    sessions, ends = int(session[-1]) + 1, np.arange(1, bars + 1, dtype=np.int64) * 3_600_000_000
    prices = [np.rint(each * MILLION) for each in (opened, closed)]
    market = Market(
        starts=ends - 3_600_000_000,
        ends=ends,
        session=session,
        closes_session=np.append(np.diff(session) > 0, True),
        open=prices[0],
        close=prices[1],
        volume=np.full(closed.shape, 10**8),
        days=730_000 + np.arange(sessions),
        gates=np.ones((sessions, symbols), dtype=np.bool_),
        fees=np.zeros((sessions, 3), dtype=np.int64),
        least_equity=np.zeros(sessions, dtype=np.int64),
        first_action=np.zeros(sessions + 1, dtype=np.int64),
        actions=np.zeros((0, 4), dtype=np.int64),
        most_shares=np.full(symbols, 10**7),
        shorts=np.zeros((0, symbols, SHORT_COLUMNS), dtype=np.int64),
    )
    wants = [
        Wants(np.where(each, int(INVESTED * 10**9) // symbols, 0).astype(np.int32)[:, None, :], np.ones(bars, np.bool_))
        for each in signals
    ]
    # Every rule is asked, and none of them denies: the other engines have none.
    terms = Terms(
        max_order_qty=10**9,
        max_order_notional=MILLION,
        max_position=MILLION,
        max_gross_exposure=MILLION,
        cash_buffer=0,
        stop_new_daily_loss=970_000,
        stop_all_daily_loss=980_000,
        stop_all_drawdown=990_000,
        rebalance_band=500_000,
        margin_buffer=1,
        allow_short=False,
        slippage=SLIPPAGE_BPS * 100,
        volume_limit=MILLION,
    )

    def run() -> dict[str, float]:
        trades = equity = 0.0
        for each in wants:
            state, log = lived(market, each, terms, CASH * MILLION, lambda *_: None)
            trades += float(state.numbers[FILLS])
            equity = float(log.equity[-1, EQUITY_CASH : EQUITY_POSITIONS + 1].sum()) / MILLION
        return {"trades": trades, "equity": equity}

    return run


def numba(opened: Any, closed: Any, signals: Any) -> Run:
    """Nothing but shares, cash and equity in one compiled loop of floats."""
    from numba import njit

    @njit(cache=False)
    def loop(opened: Any, closed: Any, signal: Any, cash: float, slippage: float, share: float) -> Any:
        bars, symbols = closed.shape
        held, wanted = np.zeros(symbols), np.zeros(symbols)
        equity, trades = np.empty(bars), 0
        for bar in range(bars):
            for symbol in range(symbols):
                shares = wanted[symbol] - held[symbol]
                if shares != 0:
                    cash -= shares * opened[bar, symbol] * (1 + slippage if shares > 0 else 1 - slippage)
                    held[symbol] = wanted[symbol]
                    trades += 1
            value = cash
            for symbol in range(symbols):
                value += held[symbol] * closed[bar, symbol]
            equity[bar] = value
            for symbol in range(symbols):
                if not signal[bar, symbol]:
                    wanted[symbol] = 0
                elif held[symbol] == 0:
                    wanted[symbol] = value * share // closed[bar, symbol]
        return equity, trades

    def run() -> dict[str, float]:
        total, equity = 0.0, np.zeros(1)
        for each in signals:
            equity, trades = loop(opened, closed, each, CASH, SLIPPAGE_BPS / 10_000, INVESTED / closed.shape[1])
            total += trades
        return {"trades": total, "equity": float(equity[-1])}

    return run


def vectorbt(opened: Any, closed: Any, signals: Any) -> Run:
    """Portfolio.from_signals, one group of shared cash a pair, orders at the next open."""
    import pandas as pd
    import vectorbt as vbt

    bars, symbols = closed.shape
    pairs = len(signals)
    index = pd.date_range("2014-01-01", periods=bars, freq="h")
    columns = pd.MultiIndex.from_product([range(pairs), range(symbols)], names=["pair", "symbol"])
    following = np.vstack([opened[1:], closed[-1:]])
    close, price = (pd.DataFrame(np.tile(each, (1, pairs)), index, columns) for each in (closed, following))
    side = np.concatenate(list(signals), axis=1)
    before = np.vstack([np.zeros((1, side.shape[1]), dtype=bool), side[:-1]])
    entries, exits = (pd.DataFrame(each, index, columns) for each in (side & ~before, ~side & before))

    def run() -> dict[str, float]:
        portfolio = vbt.Portfolio.from_signals(
            close,
            entries,
            exits,
            price=price,
            size=CASH * INVESTED / symbols,
            size_type="value",
            size_granularity=1,
            slippage=SLIPPAGE_BPS / 10_000,
            init_cash=CASH,
            group_by="pair",
            cash_sharing=True,
            freq="h",
        )
        return {"trades": float(len(portfolio.orders.records)), "portfolio": portfolio}

    return run


def backtrader(opened: Any, closed: Any, signals: Any) -> Run:
    """Cerebro, one feed a symbol, without preloading indicators: the signals are given."""
    import backtrader as bt
    import pandas as pd

    bars, symbols = closed.shape
    index = pd.date_range("2014-01-01", periods=bars, freq="h")
    signal = signals[0]

    class Crossover(bt.Strategy):
        def __init__(self) -> None:
            self.bar, self.trades = 0, 0

        def notify_order(self, order: Any) -> None:
            self.trades += order.status == order.Completed

        def next(self) -> None:
            for symbol, data in enumerate(self.datas):
                held = self.getposition(data).size
                if signal[self.bar, symbol] and not held:
                    self.buy(data, size=self.broker.getvalue() * INVESTED / symbols // data.close[0])
                elif held and not signal[self.bar, symbol]:
                    self.close(data)
            self.bar += 1

    def run() -> dict[str, float]:
        cerebro = bt.Cerebro(stdstats=False)
        cerebro.broker.setcash(CASH)
        cerebro.broker.set_slippage_perc(SLIPPAGE_BPS / 10_000)
        for symbol in range(symbols):
            prices = {"open": opened[:, symbol], "close": closed[:, symbol], "volume": 10**8}
            frame = pd.DataFrame(prices, index).assign(
                high=np.maximum(opened, closed)[:, symbol] * 1.001, low=np.minimum(opened, closed)[:, symbol] * 0.999
            )
            cerebro.adddata(bt.feeds.PandasData(dataname=frame))
        cerebro.addstrategy(Crossover)
        (strategy,) = cerebro.run()
        return {"trades": float(strategy.trades), "equity": float(cerebro.broker.getvalue())}

    return run


ENGINES = {engine.__name__: engine for engine in (ours, numba, vectorbt, backtrader)}


def main(name: str, folder: Path, rounds: int) -> None:
    opened, closed, signals = (np.load(folder / f"{part}.npy") for part in ("open", "close", "signals"))
    run = ENGINES[name](opened, closed, signals)
    began = time.process_time()
    outcome = run()
    first, warm = time.process_time() - began, list[float]()
    before = _memory("VmRSS")
    _forget_peak()
    for _ in range(rounds):
        began = time.process_time()
        outcome = run()
        warm.append(time.process_time() - began)
    extra = _memory("VmHWM") - before
    if portfolio := outcome.pop("portfolio", None):
        outcome["equity"] = float(np.asarray(portfolio.value()).ravel()[-1])
    whole = time.process_time()
    inputs = opened.nbytes + closed.nbytes + signals.nbytes
    print(json.dumps({**outcome, "first": first, "warm": warm, "whole": whole, "extra": extra, "inputs": inputs}))


def _memory(kind: str) -> int:
    """Bytes in use, or at the peak since `_forget_peak`; 0 on a system that does not say."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(kind)), 0)


def _forget_peak() -> None:
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
