"""How the loop is compiled, and where the result is kept.

Compiling takes about a quarter of a minute; what is kept is found again for as long as no line of the source changes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar, cast

Function = TypeVar("Function", bound=Callable[..., Any])

# Nothing is allocated inside the loop: without counting references, and with calls made inline, it takes a third.
_OPTIONS: dict[str, Any] = {"_nrt": False, "no_cfunc_wrapper": True, "error_model": "numpy", "forceinline": True}
_PARTS = ("domain/kernel", "domain/risk/rules", "domain/risk/exposure.py", "domain/risk/margin_rules.py")
_folder: Path | None = None


def keep_in(folder: Path) -> None:
    """Keep what is compiled in `folder`, and find it there. The first folder counts; without one nothing is kept."""
    global _folder
    _folder = _folder or folder / _fingerprint()


def is_kept() -> bool:
    """Whether the loop was compiled before, and need not be again."""
    return _folder is not None and any(_folder.rglob("*.nbi"))


def compiled(function: Function) -> Function:
    """A function that only compiled ones call: without a way in from Python it compiles in half the time."""
    import numba

    njit: Any = numba.njit
    return cast(Function, njit(**_OPTIONS, no_cpython_wrapper=True)(function))


def apart(function: Function) -> Function:
    """The same for what happens rarely: called, so that it is in nobody's way."""
    import numba

    njit: Any = numba.njit
    return cast(Function, njit(**{**_OPTIONS, "forceinline": False}, no_cpython_wrapper=True)(function))


def summed(function: Function) -> Function:
    """The same for sums of exact numbers: in whatever order a processor adds them, several at a time."""
    import numba

    njit: Any = numba.njit
    return cast(Function, njit(**_OPTIONS, no_cpython_wrapper=True, fastmath={"reassoc", "nsz"})(function))


def entry(function: Function) -> Function:
    """The function that Python calls."""
    import numba

    njit: Any = numba.njit
    if _folder is not None:
        numba.config.CACHE_DIR = str(_folder)
    return cast(Function, njit(**_OPTIONS, cache=_folder is not None)(function))


def _fingerprint() -> str:
    """Sixteen hex digits of every source that is compiled into the loop, and of the compiler.

    numba itself would look at the file of the outermost function only.
    """
    root = Path(__file__).parents[2]
    digest = hashlib.sha256(version("numba").encode())
    for part in _PARTS:
        place = root / part
        for source in sorted(place.glob("*.py")) if place.is_dir() else [place]:
            digest.update(source.read_bytes())
    return digest.hexdigest()[:16]
