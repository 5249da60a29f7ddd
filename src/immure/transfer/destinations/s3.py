"""A bucket of an S3-compatible store (extra ``s3``).

An object appears when its one PUT is complete, or when its multipart upload is completed, never before. A
dump that fits into one part is kept in memory until then. Both ask the store not to replace an object
(``If-None-Match: *``); since not every store does, it is also looked whether there is one.

Credentials, region and endpoint come from where the AWS tools have them: variables, ``~/.aws``, the machine's
role. A process that is killed leaves an upload that nobody can read and that a lifecycle rule
(``AbortIncompleteMultipartUpload``) removes.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

from immure.errors import TransferError
from immure.transfer.destinations.interface import Destination, Placed, Stage, check_same
from immure.transfer.places import Place, check_name

#: Smallest part of a multipart upload, and how many there may be.
PART_BYTES: Final = 16 << 20
MOST_PARTS: Final = 9_000
_STEP: Final = 1 << 20


class S3Destination(Destination):
    """A bucket and a prefix of names.

    Args:
        place: which.
        options: for :class:`s3fs.S3FileSystem`; by default everything comes from the environment.
        part_bytes: length of parts, and of what is kept in memory.

    Raises:
        TransferError: s3fs is not installed, or no bucket is named.
    """

    def __init__(self, place: Place, *, part_bytes: int = PART_BYTES, **options: Any) -> None:
        self.url = place.url
        self._prefix = f"{place.host}{place.path}"
        self._part_bytes = part_bytes
        try:
            from s3fs import S3FileSystem
        except ImportError as error:
            raise TransferError("needs the package s3fs: pip install 'immure[s3]'", path=self.url) from error
        with _reported(self.url):
            self._files = S3FileSystem(skip_instance_cache=True, use_listings_cache=False, **options)

    def stage(self, name: str, size: int) -> Stage:
        """See :meth:`Destination.stage`."""
        key = f"{self._prefix}/{check_name(name)}"
        part = max(self._part_bytes, -(-size // MOST_PARTS))
        if size <= part:
            return _OneObject(self._files, key)
        with _reported(f"s3://{key}"):
            return _Multipart(
                self._files, key, self._files.open(key, "xb", block_size=part, autocommit=False)
            )

    def close(self) -> None:
        """See :meth:`Destination.close`."""


class _ObjectStage(Stage):
    """What both ways have in common."""

    def __init__(self, files: Any, key: str) -> None:
        self._files = files
        self._key = key
        self._path = f"s3://{key}"
        self._size = 0

    def commit(self, sha256: str) -> Placed:
        """See :meth:`Stage.commit`."""
        with _reported(self._path):
            if self._files.exists(self._key):
                return check_same(self._present(), sha256, self._path)
        with _reported(self._path, "whether it is there is not known, look: "):
            try:
                self._publish()
            except FileExistsError:
                return check_same(self._present(), sha256, self._path)
        return "new"

    @abstractmethod
    def _publish(self) -> None:
        """Show it, in one step; raises FileExistsError if there is a file of that name."""

    def _present(self) -> Iterator[bytes]:
        if self._files.info(self._key)["size"] == self._size:
            with self._files.open(self._key, "rb", block_size=_STEP, cache_type="readahead") as stream:
                while piece := stream.read(_STEP):
                    yield piece


class _OneObject(_ObjectStage):
    """A dump that is sent in one request."""

    def __init__(self, files: Any, key: str) -> None:
        super().__init__(files, key)
        self._data = bytearray()

    def write(self, piece: bytes) -> None:
        """See :meth:`Stage.write`."""
        self._data += piece
        self._size += len(piece)

    def prepare(self) -> None:
        """See :meth:`Stage.prepare`."""

    def _publish(self) -> None:
        self._files.pipe_file(self._key, bytes(self._data), mode="create", chunksize=1 << 40)

    def abandon(self) -> None:
        """See :meth:`Stage.abandon`."""
        self._data.clear()


class _Multipart(_ObjectStage):
    """A dump that is sent in parts, which become an object when the last request says so."""

    def __init__(self, files: Any, key: str, upload: Any) -> None:
        super().__init__(files, key)
        self._upload: Any = upload

    def write(self, piece: bytes) -> None:
        """See :meth:`Stage.write`."""
        with _reported(self._path):
            self._upload.write(piece)
        self._size += len(piece)

    def prepare(self) -> None:
        """See :meth:`Stage.prepare`."""
        with _reported(self._path):
            self._upload.flush(force=True)

    def _publish(self) -> None:
        self._upload.commit()
        self._upload = None

    def abandon(self) -> None:
        """See :meth:`Stage.abandon`."""
        upload, self._upload = self._upload, None
        if upload is not None:
            with suppress(Exception):  # the store may be out of reach, which is why it is abandoned
                upload.discard()
            upload.closed = True  # or it would send the rest when it is collected


@contextmanager
def _reported(path: str, words: str = "") -> Iterator[None]:
    """Turn errors of the store into ours; what they say of a request holds no credentials."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except FileExistsError:
        raise
    except FileNotFoundError as error:
        raise TransferError(f"{words}there is no such bucket", path=path) from error
    except (OSError, BotoCoreError, ClientError) as error:
        reason = str(error).partition("\n")[0][:300] or type(error).__name__
        raise TransferError(f"{words}the store cannot take it: {reason}", path=path) from error
