"""The OpenAPI contract of Alpaca's trading API, where it is at hand: every answer must be what it promises."""

from __future__ import annotations

import gzip
import json
import os
import re
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

FILE = Path("specs/alpaca_trading_openapi.json.gz")


@dataclass
class Contract:
    """`check` is for LocalAlpaca.on_answer; what it finds is in `violations`."""

    document: dict[str, Any]
    violations: list[str] = field(default_factory=list)

    @classmethod
    def at_hand(cls) -> Contract | None:
        """The contract in the folder that TRADING_TEST_PAYLOADS names; None without one."""
        folder = os.environ.get("TRADING_TEST_PAYLOADS")
        return cls(_loaded(Path(folder) / FILE)) if folder else None

    def check(self, method: str, path: str, status: int, answer: Any) -> None:
        """Hold an answer of success to the schema of its path. Errors have none in the contract."""
        if not 200 <= status < 300 or answer is None:
            return
        schema = self._schema(method.lower(), path, status)
        if schema is None:
            return
        from jsonschema import Draft202012Validator

        validator = Draft202012Validator({**schema, "components": self.document["components"]})
        for error in validator.iter_errors(answer):
            self.violations.append(f"{method} {path}: {'.'.join(map(str, error.path))}: {error.message[:200]}")

    def _schema(self, method: str, path: str, status: int) -> dict[str, Any] | None:
        for template, operations in self.document["paths"].items():
            if method in operations and re.fullmatch(re.sub(r"\{[^}]*\}", "[^/]+", template), path):
                answers = operations[method]["responses"].get(str(status), {})
                schema: dict[str, Any] | None = answers.get("content", {}).get("application/json", {}).get("schema")
                return schema
        if path.startswith("/v2/") and not path.startswith("/v2/stocks/"):  # those are of another API
            self.violations.append(f"{method} {path} is not in the contract")
        return None


@cache
def _loaded(path: Path) -> dict[str, Any]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        document: dict[str, Any] = _as_json_schema(json.load(file))
    return document


def _as_json_schema(node: Any) -> Any:
    """OpenAPI 3.0 in the words of JSON Schema: what is nullable has one more type, and one more value."""
    if isinstance(node, list):
        return [_as_json_schema(part) for part in node]
    if not isinstance(node, dict):
        return node
    node = {name: _as_json_schema(part) for name, part in node.items()}
    if node.pop("nullable", None) is True:
        return {"anyOf": [node, {"type": "null"}]}
    return node
