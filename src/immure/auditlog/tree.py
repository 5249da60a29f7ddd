"""The Merkle tree over the entries (RFC 9162 section 2.1, the same as that of RFC 6962), grown leaf by leaf.

>>> tree = Peaks()
>>> for data in (b"a", b"b", b"c"):
...     nodes = tree.add(leaf_hash(data))
>>> tree.root() == node_hash(node_hash(leaf_hash(b"a"), leaf_hash(b"b")), leaf_hash(b"c"))
True

A tree of n leaves is a row of complete subtrees, one for each bit of n. Their roots, the :class:`Peaks`, are
all that is needed to add leaves and to compute the root: for a million entries that is at most twenty hashes.

Complete subtrees never change, so their hashes can be kept in a file that only grows: each leaf, and right
after it the roots of the subtrees that it completes. :func:`stored_position` says where a hash stands in that
file.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256

HASH_BYTES = 32
#: The hash of a tree without leaves.
EMPTY_ROOT = sha256(b"").digest()
#: Gives the root of the complete subtree of height ``level`` that is the ``index``-th in its row.
NodeReader = Callable[[int, int], bytes]


def leaf_hash(data: bytes) -> bytes:
    """The hash of a leaf: SHA-256(0x00 ‖ data)."""
    return sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of a node: SHA-256(0x01 ‖ left ‖ right). The prefixes keep leaves and nodes apart."""
    return sha256(b"\x01" + left + right).digest()


class Peaks:
    """The roots of the complete subtrees of a tree, the largest first.

    Attributes:
        size: how many leaves the tree has.
    """

    __slots__ = ("_hashes", "size")

    def __init__(self) -> None:
        self.size = 0
        self._hashes: list[bytes] = []

    def add(self, leaf: bytes) -> list[bytes]:
        """Add the hash of a leaf; the new hashes are returned: the leaf's, and those of all subtrees that it
        completes, from the bottom up."""
        new = [leaf]
        rest = self.size
        while rest & 1:
            new.append(node_hash(self._hashes.pop(), new[-1]))
            rest >>= 1
        self._hashes.append(new[-1])
        self.size += 1
        return new

    def root(self) -> bytes:
        """The root of the whole tree."""
        if not self._hashes:
            return EMPTY_ROOT
        *others, result = self._hashes
        for peak in reversed(others):
            result = node_hash(peak, result)
        return result

    def copy(self) -> Peaks:
        """The same tree, to grow apart from this one."""
        other = Peaks()
        other.size, other._hashes = self.size, list(self._hashes)
        return other

    @classmethod
    def of_size(cls, size: int, node: NodeReader) -> Peaks:
        """The peaks of a tree whose hashes are kept somewhere."""
        peaks = cls()
        start = 0
        for level in reversed(range(size.bit_length())):
            if size >> level & 1:
                peaks._hashes.append(node(level, start >> level))
                start += 1 << level
        peaks.size = size
        return peaks


def stored_before(size: int) -> int:
    """How many hashes are kept for a tree of ``size`` leaves: a leaf, and a node for each pair that is
    complete."""
    return 2 * size - size.bit_count()


def stored_position(level: int, index: int) -> int:
    """Which one, from 0, among the hashes kept is the root of the ``index``-th subtree of height
    ``level``."""
    last_leaf = ((index + 1) << level) - 1
    return stored_before(last_leaf) + level
