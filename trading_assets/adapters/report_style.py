"""How every page of figures looks: numbers as text, colours, the stylesheet, and charts as inline SVG.

What a page says belongs to the pages: report.py, comparison.py. No request leaves a page.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from jinja2 import Template
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TEMPLATES = Path(__file__).parent
INK, MUTED, GRID, PAPER = "#16202c", "#66717f", "#e4e8ed", "#ffffff"
BLUE, ORANGE, RED = "#0b5394", "#d98200", "#b23a0e"
SERIES_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
FONTS = ["Inter", "Helvetica Neue", "Arial", "Liberation Sans", "DejaVu Sans"]


def page_template(name: str) -> Template:
    """The page's template, with the stylesheet and the filters of all pages."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"pct": percent, "usd": dollars, "num": number, "shares": shares}
    return environment.get_template(name)


def replace_file(path: Path, content: bytes) -> None:
    """A reader sees the old file or the new one, never half of one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_bytes(content)
    partial.replace(path)


# Numbers as text -----------------------------------------------------------------------------------


def percent(ratio: float | None, places: int = 2, sign: bool = False) -> str:
    return "–" if ratio is None or np.isnan(ratio) else minus(f"{ratio * 100:{'+' if sign else ''},.{places}f} %")


def dollars(amount: Any, places: int = 0, sign: bool = False) -> str:
    if amount is None:
        return "–"
    prefix = "−" if round(float(amount), places) < 0 else "+" if sign and amount > 0 else ""
    return f"{prefix}${abs(float(amount)):,.{places}f}"


def number(value: float | None, places: int = 2) -> str:
    return "–" if value is None or np.isnan(value) else minus(f"{value:,.{places}f}")


def shares(quantity: Any) -> str:
    return f"{float(quantity):,.4f}".rstrip("0").rstrip(".")


def minus(text: str) -> str:
    """With a real minus sign, and none before a number that is rounded to zero."""
    is_zero = not any(digit in text for digit in "123456789")
    return text.lstrip("-+") if is_zero else text.replace("-", "−")


# Tables and charts --------------------------------------------------------------------------------


def shade(value: float | None, widest: float) -> str:
    """Blue for gains and orange-red for losses: told apart with any colour vision."""
    if value is None:
        return "transparent"
    strength = 0.06 + 0.54 * min(abs(value) / widest, 1.0)
    return f"rgba({'11,83,148' if value >= 0 else '196,78,22'},{strength:.3f})"


def chart_style(salt: str) -> Any:
    import matplotlib as mpl

    mpl.use("Agg")
    return mpl.rc_context(
        {
            "font.family": "sans-serif",
            "font.sans-serif": FONTS,
            "font.size": 9,
            "svg.fonttype": "none",
            "svg.hashsalt": salt,
            "text.color": INK,
            "axes.labelcolor": MUTED,
            "axes.edgecolor": GRID,
            "axes.facecolor": PAPER,
            "axes.axisbelow": True,
            "axes.grid": True,
            "axes.grid.axis": "y",
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.spines.left": False,
            "axes.unicode_minus": True,
            "grid.color": GRID,
            "grid.linewidth": 0.8,
            "xtick.color": MUTED,
            "ytick.color": MUTED,
            "xtick.major.size": 3,
            "ytick.major.size": 0,
            "lines.linewidth": 1.5,
            "lines.solid_joinstyle": "round",
            "figure.facecolor": PAPER,
            "legend.frameon": False,
        }
    )


def svg(draw: Callable[[], Figure], name: str) -> Any:
    """The figure as inline SVG that scales with its column. `name` sets its ids apart from those of other figures."""
    import re

    from markupsafe import Markup

    buffer = io.StringIO()
    with chart_style(name):
        draw().savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    for size in ("width", "height"):
        text = re.sub(rf'(<svg[^>]*?) {size}="[^"]*"', r"\1", text, count=1)
    return Markup(text)  # noqa: S704  made by matplotlib from numbers and escaped names


def new_axes(width: float, height: float, **options: Any) -> tuple[Figure, Any]:
    from matplotlib.figure import Figure as NewFigure

    figure = NewFigure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots(**options)


def time_axis(axes: Axes) -> None:
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    locator = AutoDateLocator(minticks=4, maxticks=9)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    formatter = ConciseDateFormatter(locator, show_offset=False)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_formatter(formatter)
    axes.margins(x=0.01)


def percent_axis(axes: Axes) -> None:
    axes.yaxis.set_major_formatter(lambda value, _: minus(f"{value:,.4g} %"))
