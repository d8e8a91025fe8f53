"""Makes backtrader_trades.csv: the crossover of test_backtest_beside_other_programs.py as backtrader trades it.

Run with an interpreter that has backtrader: `make_backtrader_trades.py BARS.csv backtrader_trades.csv`, where BARS.csv
has session_date, symbol, open, high, low, close and volume of the bundled history. The result is kept as a record of
what an engine of others makes of the same bars; no test runs this, and nothing of the platform is imported.
"""

import csv
import math
import sys
from datetime import date
from pathlib import Path

import backtrader as bt
import pandas as pd

FAST, SLOW, WEIGHT, CASH = 10, 30, 0.5, 100_000
SEC_USD_A_MILLION = [
    (date(2005, 12, 22), 30.70),
    (date(2006, 10, 1), 0.0),
    (date(2007, 5, 7), 15.30),
    (date(2007, 10, 1), 0.0),
    (date(2008, 2, 29), 11.00),
    (date(2008, 4, 1), 5.60),
    (date(2008, 10, 1), 0.0),
    (date(2009, 4, 30), 25.70),
]
TAF_USD_A_SHARE, TAF_CAP_USD = 0.000075, 3.75


class RegulatoryFees(bt.CommInfoBase):
    """On sales; each of the two is rounded up to the cent once a session, so a later sale pays the difference."""

    params = (("stocklike", True), ("commtype", bt.CommInfoBase.COMM_FIXED), ("feed", None), ("sold", None))

    def _getcommission(self, size, price, pseudoexec):
        if size >= 0:
            return 0.0
        day = self.p.feed.datetime.date(0)
        before = self.p.sold.get(day, (0.0, 0.0))
        rate = next(rate for begin, rate in reversed(SEC_USD_A_MILLION) if begin <= day)
        taf = min(-size * TAF_USD_A_SHARE, TAF_CAP_USD)
        after = before[0] - size * price * rate / 1e6, before[1] + taf
        if not pseudoexec:
            self.p.sold[day] = after
        return sum(map(cents_up, after)) - sum(map(cents_up, before))


def cents_up(amount):
    return math.ceil(round(amount * 100, 9)) / 100


class Crossover(bt.Strategy):
    def __init__(self):
        self.averages = [[bt.ind.SMA(data.close, period=length) for length in (FAST, SLOW)] for data in self.datas]
        self.trades = []

    def notify_order(self, order):
        if order.status == order.Completed:
            at, done = bt.num2date(order.executed.dt).date(), order.executed
            self.trades.append((at, order.data._name, int(done.size), f"{done.price:.4f}", f"{done.comm:.2f}"))

    def next(self):
        for data, (fast, slow) in zip(self.datas, self.averages, strict=True):
            held, share = self.getposition(data).size, WEIGHT / len(self.datas) * self.broker.getvalue()
            if fast[0] > slow[0] and not held:
                self.buy(data, size=math.floor(share / data.close[0]))
            elif held and fast[0] <= slow[0]:
                self.sell(data, size=held)


def main(bars, target):
    cerebro, sold = bt.Cerebro(stdstats=False), {}
    cerebro.broker.setcash(CASH)
    frame = pd.read_csv(bars, parse_dates=["session_date"])
    for symbol, own in frame.groupby("symbol"):
        prices = own.set_index("session_date")[["open", "high", "low", "close", "volume"]]
        feed = bt.feeds.PandasData(dataname=prices)
        cerebro.adddata(feed, name=symbol)
        cerebro.broker.addcommissioninfo(RegulatoryFees(feed=feed, sold=sold), name=symbol)
    cerebro.addstrategy(Crossover)
    (strategy,) = cerebro.run()
    with Path(target).open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["session_date", "symbol", "shares", "price", "fee_usd"])
        writer.writerows(sorted(strategy.trades))
        writer.writerow(["end", "", "", f"{cerebro.broker.getvalue():.2f}", ""])


if __name__ == "__main__":
    main(*sys.argv[1:])
