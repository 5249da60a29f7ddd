"""Git, run on a repository that nobody vouches for.

Only its objects are read: git is given a directory of our own, with a configuration of our own and no hooks,
as its repository, and the other's directory of objects beside it. So nothing in the other's configuration
(``core.fsmonitor``, aliases, filters, includes, promisor remotes) is ever read, replacement objects and
grafts do not count, and nothing is fetched. Memory and time without an answer are bounded.
"""

from __future__ import annotations

import os
import re
import resource
import select
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Final, Self

from immure.watching.errors import SourceError
from immure.watching.sources.names import text_of

#: Seconds without a byte after which git is given up.
PATIENCE: Final = 300.0
#: Bytes of address space for each process.
_MOST_MEMORY: Final = 8 << 30
_MOST_LINE: Final = 1 << 16
_MOST_WORDS: Final = 1 << 14
_ID_LINE: Final = re.compile(rb"(?m)^(?:[0-9a-f]{40}|[0-9a-f]{64})\n")
_MOST_SHALLOW: Final = 16 << 20
_COMPLAINT: Final = re.compile(rb"(?m)^(?:error|fatal): (.{1,300})")
_SHA256: Final = re.compile(rb"(?im)^[ \t]*objectformat[ \t]*=[ \t]*\"?sha256\"?[ \t]*\r?$")
_CONFIG: Final = """[core]
\trepositoryformatversion = 1
\tbare = true
\thooksPath = /dev/null
\tbigFileThreshold = 16m
\tpackedGitWindowSize = 64m
\tpackedGitLimit = 512m
\tdeltaBaseCacheLimit = 64m
[extensions]
\tobjectformat = {format}
[protocol]
\tallow = never
[gc]
\tauto = 0
[safe]
\tdirectory = *
"""


class Repository:
    """The objects of a repository, whose git directory is ``git_dir``; a context manager.

    Raises:
        SourceError: there is no git here.
    """

    def __init__(self, git_dir: str) -> None:
        self.objects = os.path.join(git_dir, "objects")
        if shutil.which("git") is None:
            raise SourceError("needs the program git", path=git_dir)
        self._own = tempfile.TemporaryDirectory(prefix="immure-git-")
        own = Path(self._own.name)
        (own / "refs").mkdir()
        (own / "objects").mkdir()
        (own / "HEAD").write_text("ref: refs/heads/none\n", encoding="ascii")
        (own / "config").write_text(_CONFIG.format(format=_format(git_dir)), encoding="ascii")
        # where a shallow clone ends: else git takes it for a broken one
        shallow = _ID_LINE.findall(_beginning(os.path.join(git_dir, "shallow"), _MOST_SHALLOW))
        if shallow:
            (own / "shallow").write_bytes(b"".join(shallow))
        self._environment = {
            "PATH": os.environ.get("PATH", os.defpath), "HOME": str(own), "LC_ALL": "C",
            "GIT_DIR": str(own), "GIT_OBJECT_DIRECTORY": self.objects, "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull, "GIT_ATTR_NOSYSTEM": "1", "GIT_NO_REPLACE_OBJECTS": "1",
            "GIT_NO_LAZY_FETCH": "1", "GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0",
        }  # fmt: skip

    def start(self, *arguments: str, hears: bool = False) -> Process:
        """Run git; with ``hears`` what it complains of is kept."""
        return Process(["git", "--no-pager", *arguments], self._environment, self._own.name, hears=hears)

    def close(self) -> None:
        """Remove the directory of our own. Idempotent."""
        self._own.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _format(git_dir: str) -> str:
    """Which digest names the objects: the one thing that we want to know of the configuration."""
    return "sha256" if _SHA256.search(_beginning(os.path.join(git_dir, "config"), 1 << 20)) else "sha1"


def _beginning(path: str, most: int) -> bytes:
    """The first bytes of a file of theirs; none of what is no regular file, which might never end."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
        with open(descriptor, "rb") as stream:
            return stream.read(most) if stat.S_ISREG(os.fstat(descriptor).st_mode) else b""
    except OSError:
        return b""


class Process:
    """A process of git that is asked and that answers.

    What it complains of is kept only if it ``hears``: who asks while nobody listens must not be waited for.
    """

    def __init__(
        self, command: Sequence[str], environment: dict[str, str], directory: str, *, hears: bool = False
    ) -> None:
        self._process = subprocess.Popen(  # noqa: S603 - git, with words of ours
            command, env=environment, cwd=directory, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE if hears else subprocess.DEVNULL, bufsize=0, start_new_session=True,
        )  # fmt: skip
        with suppress(OSError, ProcessLookupError):  # it may have ended by now
            resource.prlimit(self._process.pid, resource.RLIMIT_AS, (_MOST_MEMORY, _MOST_MEMORY))
        self._in, self._out = _pipe(self._process.stdin), _pipe(self._process.stdout)
        self._poll = select.poll()
        self._poll.register(self._out, select.POLLIN | select.POLLHUP)
        self._complaints: IO[bytes] | None = self._process.stderr
        if self._complaints is not None:
            self._poll.register(self._complaints, select.POLLIN | select.POLLHUP)
        self._words = bytearray()
        self._buffer = bytearray()

    def ask(self, text: bytes) -> None:
        """Write to it. What is written must not be more than it takes without being read from."""
        try:
            self._in.write(text)
        except OSError as error:
            raise SourceError("git has ended") from error

    def end_of_questions(self) -> None:
        """Tell it that there are no more."""
        self._in.close()

    def line(self, end: bytes = b"\n") -> bytes:
        """The next line, without its end; empty at the end of all."""
        while (at := self._buffer.find(end)) < 0:
            if len(self._buffer) > _MOST_LINE:
                raise SourceError("git answers with a line without end")
            if not self._more():
                rest = bytes(self._buffer)
                self._buffer.clear()
                return rest
        found = bytes(self._buffer[:at])
        del self._buffer[: at + len(end)]
        return found

    def take(self, length: int) -> bytes:
        """So many bytes."""
        while len(self._buffer) < length:
            if not self._more(length - len(self._buffer)):
                raise SourceError("git has ended in the midst of an object: it is damaged")
        found = bytes(self._buffer[:length])
        del self._buffer[:length]
        return found

    def pieces(self) -> Iterator[bytes]:
        """All that comes, to the end."""
        while self._buffer or self._more():
            yield bytes(self._buffer)
            self._buffer.clear()
        if self._process.wait() != 0:
            raise SourceError("git could not read the object to its end: it is damaged")

    def ended(self) -> tuple[int, list[str]]:
        """Its exit code, and what went wrong by its own account, each line once; to be asked when it has
        answered all."""
        self._poll.unregister(self._out)
        while self._complaints is not None:
            self._listen(self._ready())
        try:
            code = self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired as error:
            self.close()
            raise SourceError(f"git does not end for {PATIENCE:.0f} s") from error
        lines = dict.fromkeys(map(text_of, _COMPLAINT.findall(self._words)))
        return code, list(lines) or ([f"failed with {code}"] if code else [])

    def _more(self, most: int = 1 << 16) -> bool:
        while self._out.fileno() not in (ready := self._ready()):
            self._listen(ready)
        data = os.read(self._out.fileno(), min(max(most, 1 << 16), 1 << 20))
        self._buffer += data
        return bool(data)

    def _ready(self) -> set[int]:
        """The pipes in which there is something."""
        ready = {descriptor for descriptor, _ in self._poll.poll(PATIENCE * 1000)}
        if not ready:
            self.close()
            raise SourceError(f"git has not answered for {PATIENCE:.0f} s")
        return ready

    def _listen(self, ready: set[int]) -> None:
        pipe = self._complaints
        if pipe is None or pipe.fileno() not in ready:
            return
        data = os.read(pipe.fileno(), 1 << 16)
        self._words += data[: max(0, _MOST_WORDS - len(self._words))]
        if not data:
            self._poll.unregister(pipe)
            self._complaints = None

    def close(self) -> None:
        """End it, if it has not ended."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        for pipe in (self._in, self._out, self._process.stderr):
            with suppress(OSError):
                if pipe is not None:
                    pipe.close()


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    if pipe is None:
        raise SourceError("git was started without a pipe")
    return pipe
