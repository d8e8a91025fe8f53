"""Strategies in the files of a folder: every `*.py` in it is read, and each class of a strategy found by its `name`.

A file that cannot be used is told of and leaves the others alone. Files that begin with an underscore are not read.
"""

from __future__ import annotations

import hashlib
import inspect
import re
import sys
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import ModuleType

from trading_assets.domain.strategy.strategy import Strategy
from trading_assets.settings import STRATEGY_NAME


@dataclass(frozen=True, slots=True)
class StrategyFile:
    """One strategy of a file; `sha256` is that of the whole file's bytes."""

    name: str
    path: Path
    sha256: str
    strategy: type[Strategy]


@dataclass(frozen=True, slots=True)
class BrokenFile:
    """A file that offers no strategy, and why: one line that names the file and the remedy."""

    path: Path
    problem: str


@dataclass(frozen=True, slots=True)
class FolderContent:
    """What the files of a folder offer, in order of file and class, and which of them cannot be used."""

    strategies: tuple[StrategyFile, ...] = ()
    broken: tuple[BrokenFile, ...] = ()


class StrategyFileError(Exception):
    """A file cannot be used. One line that names the file and the remedy."""


def read_folder(folder: Path) -> FolderContent:
    """The strategies in the files of `folder`. It is never an exception: what cannot be read is in `broken`."""
    if not folder.is_dir():
        problem = f"{folder} is no folder: make it (`trading new strategy NAME` does) or correct strategies_folder."
        return FolderContent(broken=(BrokenFile(folder, problem),))
    found: list[StrategyFile] = []
    broken = []
    for path in sorted(folder.glob("*.py")):
        if path.name.startswith("_"):
            continue
        try:
            found += strategies_in(path)
        except StrategyFileError as error:
            broken.append(BrokenFile(path, str(error)))
    return FolderContent(tuple(found), tuple(broken))


def strategies_in(path: Path) -> list[StrategyFile]:
    """The strategies that are defined in one file, in order of definition; at least one. Raises StrategyFileError."""
    try:
        source = path.read_bytes()
        module = _module(path, source)
    except (Exception, SystemExit) as error:
        # A user's file may raise anything while it is read; whatever it is, the user must learn whose it is.
        line = f" (line {number})" if (number := _line_in(path, error)) else ""
        reason = error.msg if isinstance(error, SyntaxError) else error
        raise StrategyFileError(
            f"{path} cannot be imported: {type(error).__name__}: {reason}{line}. "
            "Correct it, or rename it with a leading underscore so that it is not read."
        ) from error
    digest = hashlib.sha256(source).hexdigest()
    classes = [one for one in vars(module).values() if _is_strategy_of(module, one)]
    if not classes:
        raise StrategyFileError(
            f"{path} has no strategy: define a subclass of {Strategy.__module__}.Strategy that writes indicators() and "
            "signals(), or rename the file with a leading underscore so that it is not read."
        )
    for one in classes:
        if not isinstance(getattr(one, "name", None), str) or not isinstance(getattr(one, "version", None), str):
            raise StrategyFileError(f'{path}: class {one.__name__} needs `name = "..."` and `version = "1"`.')
        if not re.fullmatch(STRATEGY_NAME, one.name):
            raise StrategyFileError(
                f"{path}: the name {one.name!r} of class {one.__name__} does not match {STRATEGY_NAME}."
            )
    return [StrategyFile(one.name, path, digest, one) for one in classes]


@lru_cache(maxsize=256)
def _module(path: Path, source: bytes) -> ModuleType:
    """The file as a module of its own name, the same one (and the same classes) as long as the file is unchanged."""
    key = hashlib.sha256(str(path).encode() + source).hexdigest()[:12]
    module = ModuleType(f"trading_strategy_files.{path.stem}_{key}")
    module.__file__ = str(path)
    # Dataclasses and Pydantic look the names in annotations up here.
    sys.modules[module.__name__] = module
    try:
        exec(compile(source, path, "exec", dont_inherit=True), module.__dict__)  # noqa: S102  a user's own file, named in trading.yaml
    except BaseException:
        del sys.modules[module.__name__]
        raise
    return module


def _is_strategy_of(module: ModuleType, candidate: object) -> bool:
    return (
        isinstance(candidate, type)
        and issubclass(candidate, Strategy)
        and candidate.__module__ == module.__name__
        and not inspect.isabstract(candidate)
    )


def _line_in(path: Path, error: BaseException) -> int | None:
    """The last line of the file that the error passed through."""
    if isinstance(error, SyntaxError):
        return error.lineno
    number, trace = None, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(path):
            number = trace.tb_lineno
        trace = trace.tb_next
    return number
