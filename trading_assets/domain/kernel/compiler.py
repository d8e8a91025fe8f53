"""How the loop is compiled, and where the result is kept.

Compiling takes about a quarter of a minute; what is kept is found again for as long as no line of the source changes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import numba

Function = TypeVar("Function", bound=Callable[..., Any])

# Nothing is allocated inside the loop: without counting references, and with calls made inline, it takes a third.
_OPTIONS: dict[str, Any] = {"_nrt": False, "no_cfunc_wrapper": True, "error_model": "numpy", "forceinline": True}
# Its types do not know all of its options.
_njit: Any = numba.njit
_PARTS = ("domain/kernel", "domain/risk/rules", "domain/risk/exposure.py")


def compiled(function: Function) -> Function:
    """A function that only compiled ones call: without a way in from Python it compiles in half the time."""
    return cast(Function, _njit(**_OPTIONS, no_cpython_wrapper=True)(function))


def entry(function: Function) -> Function:
    """The function that Python calls; what is compiled for it is kept, see `keep_in`."""
    return cast(Function, _njit(**_OPTIONS, cache=True)(function))


def keep_in(folder: Path) -> bool:
    """Keep what is compiled in `folder`, under a name that follows from the source; whether it is there already.

    numba itself looks at the file of the outermost function only. Call it before the loop is imported.
    """
    kept = folder / _fingerprint()
    numba.config.CACHE_DIR = str(kept)  # type: ignore[attr-defined]
    return any(kept.rglob("*.nbi"))


def _fingerprint() -> str:
    """Sixteen hex digits of every source that is compiled into the loop, and of the compiler."""
    root = Path(__file__).parents[2]
    digest = hashlib.sha256(numba.__version__.encode())
    for part in _PARTS:
        place = root / part
        for source in sorted(place.glob("*.py")) if place.is_dir() else [place]:
            digest.update(source.read_bytes())
    return digest.hexdigest()[:16]
