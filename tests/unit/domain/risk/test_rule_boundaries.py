"""Every rule one tick below, at and above its limit, and the proof that the tables notice each change of a rule.

The tables are in boundaries/. A mutant is a rule with one comparison, sign, operator, number or function changed, or
with a limit that is one tick wider or narrower; a table that lets one live is not sharp enough.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from trading_assets.domain.risk.rules import ruling
from trading_assets.domain.risk.rules.catalogue import RULES
from trading_assets.domain.risk.rules.rule import Rule
from trading_assets.domain.risk.rules.ruling import Ruling, Unit

TABLES: dict[str, Any] = {}
for path in sorted(Path(__file__).with_name("boundaries").glob("*.yaml")):
    TABLES |= yaml.safe_load(path.read_text())

RULE_OF = {rule.rule_id: rule for rule in RULES}


class Boundary(NamedTuple):
    """Numbers of one case and what the rule has to say of them; `allowed_qty` of a rule that passes is not asked."""

    numbers: Mapping[str, float]
    allowed_qty: int | None
    told: Mapping[str, float]

    def is_met_by(self, function: Callable[..., Ruling], unit: Unit) -> bool:
        answer = function(**self.numbers)
        allowed_qty = None if answer.is_passed else max(0, answer.allowed_qty)
        if bool(answer.is_passed) != (self.allowed_qty is None) or allowed_qty != self.allowed_qty:
            return False
        return all(
            getattr(answer, name) / unit.per_one == pytest.approx(number, rel=1e-15)
            for name, number in self.told.items()
        )


def number(written: Any, unit: Unit) -> float:
    """A number of a table in the smallest parts that rules count."""
    if isinstance(written, str):
        return unit.words.index(written)
    if isinstance(written, bool) or unit.per_one == 1:
        return written
    exact = Decimal(str(written)) * unit.per_one
    assert exact == int(exact), f"{written} is finer than {unit}"
    return int(exact)


@cache
def boundaries(rule_id: str) -> tuple[Boundary, ...]:
    table, units = TABLES[rule_id], RULE_OF[rule_id].inputs
    return tuple(
        Boundary(
            {name: number(written.get(name, table["usual"].get(name)), unit) for name, unit in units.items()},
            written.get("fails"),
            {name: written[name] for name in ("value", "limit") if name in written},
        )
        for written in table["cases"]
    )


def each_boundary() -> Iterator[Any]:
    for rule_id in TABLES:
        for place, boundary in enumerate(boundaries(rule_id), start=1):
            yield pytest.param(RULE_OF[rule_id], boundary, id=f"{rule_id}-{place}")


@pytest.mark.parametrize(("rule", "boundary"), each_boundary())
def test_rule_at_its_boundary_answers_exactly(rule: Rule, boundary: Boundary) -> None:
    answer = rule.function(**boundary.numbers)
    assert boundary.is_met_by(rule.function, rule.unit), (answer, boundary)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.rule_id)
def test_rule_of_the_catalogue_has_boundaries_on_both_sides(rule: Rule) -> None:
    assert {boundary.allowed_qty is None for boundary in boundaries(rule.rule_id)} == {True, False}
    known = {*rule.inputs, "fails", "value", "limit"}
    assert all(set(written) <= known for written in (TABLES[rule.rule_id]["usual"], *TABLES[rule.rule_id]["cases"]))


SWAPPED: dict[type[ast.AST], type[ast.AST]] = {
    ast.LtE: ast.Lt,
    ast.Lt: ast.LtE,
    ast.GtE: ast.Gt,
    ast.Gt: ast.GtE,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.FloorDiv: ast.Mult,
    ast.Div: ast.Mult,
    ast.Mod: ast.FloorDiv,
    ast.And: ast.Or,
    ast.Or: ast.And,
    ast.USub: ast.UAdd,
}
RENAMED = {"min": "max", "max": "min", "floor_share": "ceil_share", "ceil_share": "floor_share", "abs": "int"}


def mutate(node: ast.AST) -> bool:
    """Change `node` itself, if it is of a kind that is mutated."""
    match node:
        case ast.Compare(ops=[operator]):
            node.ops = [SWAPPED[type(operator)]()]  # type: ignore[list-item]
        case ast.BinOp(op=operator) | ast.BoolOp(op=operator) | ast.UnaryOp(op=ast.USub() as operator):
            node.op = SWAPPED[type(operator)]()  # type: ignore[assignment]
        case ast.UnaryOp(op=ast.Not()):
            node.operand = ast.UnaryOp(ast.Not(), node.operand)
        case ast.Name(id=name) if name in RENAMED:
            node.id = RENAMED[name]
        case ast.Constant(value=int() as value) if not isinstance(value, bool) and value > 1:
            node.value = value + 1
        case ast.IfExp():
            node.body, node.orelse = node.orelse, node.body
        case _:
            return False
    return True


def changed_functions(function: Callable[..., Ruling]) -> Iterator[tuple[str, Callable[..., Ruling]]]:
    """`function` with one change each, and the line that was changed."""
    source = textwrap.dedent(inspect.getsource(function))
    space = {**vars(ruling), **function.__globals__}
    place = 0
    while True:
        definition = ast.parse(source).body[0]
        assert isinstance(definition, ast.FunctionDef)
        candidates = [node for statement in definition.body for node in ast.walk(statement)]
        place = next((at for at in range(place, len(candidates)) if mutate(candidates[at])), -1)
        if place < 0:
            return
        changed = ast.fix_missing_locations(ast.Module([definition], []))
        exec(compile(changed, function.__module__, "exec"), space)  # noqa: S102  the project's own source
        yield ast.unparse(candidates[place]), space[function.__name__]
        place += 1


def moved_limits(rule: Rule) -> Iterator[tuple[str, Callable[..., Ruling]]]:
    """The rule with each of its limits one tick wider, and one tick narrower."""
    for name in rule.limit_keys:
        for tick in (1, -1):

            def moved(*, _name: str = name, _tick: int = tick, **numbers: Any) -> Ruling:
                limit = numbers[_name]
                numbers[_name] = not limit if isinstance(limit, bool) else limit + _tick
                return rule.function(**numbers)

            yield f"{name} {tick:+}", moved


def is_noticed(rule: Rule, mutant: Callable[..., Ruling]) -> bool:
    try:
        return not all(boundary.is_met_by(mutant, rule.unit) for boundary in boundaries(rule.rule_id))
    except ArithmeticError:
        return True


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.rule_id)
def test_rule_when_anything_of_it_is_changed_breaks_a_boundary(rule: Rule) -> None:
    mutants = [*changed_functions(rule.function), *moved_limits(rule)]
    assert mutants or not rule.limit_keys
    assert [change for change, mutant in mutants if not is_noticed(rule, mutant)] == []


def test_tables_know_only_rules_of_the_catalogue() -> None:
    assert set(TABLES) == set(RULE_OF)
