"""What both embedded servers need from the operating system: folders, locks, ports, secrets and an ordinary user id.

Nothing here knows what PostgreSQL or Redis is.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pwd
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from trading_assets.adapters.errors import AdapterError

LOOPBACK = "127.0.0.1"

ENTER_USER_NAMESPACE = """
import ctypes, os, sys
uid, gid = os.geteuid(), os.getegid()
libc = ctypes.CDLL(None, use_errno=True)
CLONE_NEWUSER = 0x10000000
if libc.unshare(CLONE_NEWUSER):
    raise OSError(ctypes.get_errno(), "unshare")
for name, text in (("setgroups", "deny"), ("uid_map", f"1000 {uid} 1"), ("gid_map", f"1000 {gid} 1")):
    with open(f"/proc/self/{name}", "w") as file:
        file.write(text)
os.execv(sys.argv[1], sys.argv[1:])
"""


class EmbeddedServerError(AdapterError):
    """An embedded server can not be started as asked; the message says what to do."""


@dataclass(frozen=True)
class Completed:
    """A finished program: its exit code, and what it printed to either stream."""

    code: int
    output: str


@dataclass(frozen=True)
class OwnIdentity:
    """Runs programs as the current user."""

    def run(self, command: Sequence[str]) -> Completed:
        return run_to_end(command)

    def adopt(self, path: Path) -> None:
        """The current user owns what it makes."""


@dataclass(frozen=True)
class UserNamespace:
    """Runs programs as root seen from outside and as user 1000 seen from inside, so that files stay root's."""

    def run(self, command: Sequence[str]) -> Completed:
        return run_to_end([sys.executable, "-c", ENTER_USER_NAMESPACE, *command])

    def adopt(self, path: Path) -> None:
        os.chown(path, 0, 0)


@dataclass(frozen=True)
class OtherUser:
    """Runs programs as an ordinary user, who must be able to enter every folder on the way."""

    uid: int
    gid: int

    def run(self, command: Sequence[str]) -> Completed:
        return run_to_end(command, user=self.uid, group=self.gid)

    def adopt(self, path: Path) -> None:
        os.chown(path, self.uid, self.gid)


@dataclass(frozen=True)
class OtherUserWithFileAccess:
    """Runs programs as an ordinary user who may pass closed folders.

    Needs the securebit: without it the kernel clears the capability that the programs' own access() check looks at.
    """

    uid: int
    gid: int

    def run(self, command: Sequence[str]) -> Completed:
        capabilities = "+dac_override,+dac_read_search"
        return run_to_end(
            [
                "/usr/bin/setpriv",
                f"--reuid={self.uid}",
                f"--regid={self.gid}",
                "--clear-groups",
                f"--inh-caps={capabilities}",
                f"--ambient-caps={capabilities}",
                "--securebits=+no_setuid_fixup",
                *command,
            ]
        )

    def adopt(self, path: Path) -> None:
        os.chown(path, self.uid, self.gid)


Identity = OwnIdentity | UserNamespace | OtherUser | OtherUserWithFileAccess


def run_to_end(command: Sequence[str], *, user: int | None = None, group: int | None = None) -> Completed:
    """Run a program in a session of its own; its output goes to a file: a server left behind would hold a pipe."""
    with tempfile.TemporaryFile("w+") as output:
        try:
            finished = subprocess.run(  # noqa: S603  the commands are this package's own
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd="/",
                start_new_session=True,
                check=False,
                user=user,
                group=group,
                extra_groups=None if user is None else [],
            )
        except OSError as error:
            return Completed(code=127, output=str(error))
        output.seek(0)
        return Completed(finished.returncode, output.read().strip())


def identities_for(data: Path) -> list[Identity]:
    """The ways to run a program that refuses uid 0, best first: as the owner of its `data`, if there are any yet."""
    if os.geteuid() != 0:
        return [OwnIdentity()]
    if data.exists():
        owner = data.stat()
        if owner.st_uid == 0:
            return [UserNamespace()]
        return [OtherUser(owner.st_uid, owner.st_gid), OtherUserWithFileAccess(owner.st_uid, owner.st_gid)]
    # The folder of the project, two above: .trading/postgres/data.
    project, nobody = data.parents[2].stat(), pwd.getpwnam("nobody")
    uid, gid = (project.st_uid, project.st_gid) if project.st_uid else (nobody.pw_uid, nobody.pw_gid)
    return [UserNamespace(), OtherUser(uid, gid), OtherUserWithFileAccess(uid, gid)]


def claim_folder(folder: Path, mode: int = 0o755) -> Path:
    """Make `folder` if it is missing. Raises EmbeddedServerError when it is another user's."""
    try:
        folder.mkdir(mode=mode, parents=True, exist_ok=True)
    except OSError as error:
        raise EmbeddedServerError(
            f"The state folder {folder} can not be made ({error.strerror}). Set TRADING_HOME to a folder you may write."
        ) from error
    owner = folder.stat().st_uid
    if os.geteuid() not in (0, owner):
        raise EmbeddedServerError(
            f"The state folder {folder} belongs to {_user_name(owner)}, and you are {_user_name(os.geteuid())}. "
            "Work as that user, have the folder given to you with chown, or set TRADING_HOME to a folder of your own."
        )
    return folder


@contextlib.contextmanager
def exclusive_lock(path: Path) -> Iterator[None]:
    """Wait for the lock at `path`, hold it for the block. The kernel frees it when its holder dies."""
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def free_port(wanted: int) -> int:
    """`wanted` if it is free on the loopback address, else some free port."""
    for port in (wanted, 0):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((LOOPBACK, port))
            return int(probe.getsockname()[1])
    raise EmbeddedServerError(f"There is no free TCP port on {LOOPBACK}.")


@dataclass(frozen=True)
class Access:
    """Where a server listens and the password it asks for."""

    port: int
    password: str

    def save(self, path: Path) -> None:
        write_private(path, json.dumps({"port": self.port, "password": self.password}))

    @classmethod
    def load(cls, path: Path) -> Access:
        """Raises EmbeddedServerError when the file is missing or was edited to something else."""
        try:
            stored = json.loads(path.read_text())
            return cls(port=int(stored["port"]), password=str(stored["password"]))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise EmbeddedServerError(
                f"{path} holds the port and the password of the server beside it, and can not be read ({error}). "
                "Restore it from a backup, or set TRADING_HOME to a new folder."
            ) from error


def write_private(path: Path, text: str) -> None:
    """Write `text` so that only the owner can read it, and so that a reader sees the old file or the new one."""
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    draft.replace(path)


def _user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"
