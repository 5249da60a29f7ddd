"""Proofs: that an entry is in a tree, and that one tree continues another.

>>> from immure.auditlog.tree import leaf_hash, node_hash
>>> left, right = leaf_hash(b"a"), leaf_hash(b"b")
>>> InclusionProof(index=1, size=2, hashes=(left,)).verify(leaf=right, root=node_hash(left, right))

Source: RFC 9162, sections 2.1.3 (inclusion) and 2.1.4 (consistency).
"""

from __future__ import annotations

from dataclasses import dataclass

from immure.auditlog.tree import EMPTY_ROOT, HASH_BYTES, NodeReader, node_hash
from immure.errors import LogError

#: Trees of more leaves than this are not ours; a proof has at most one hash for each bit, and one more.
MAX_SIZE = 1 << 62


@dataclass(frozen=True, slots=True)
class InclusionProof:
    """The hashes that lead from leaf number ``index`` to the root of the tree of ``size`` leaves."""

    index: int
    size: int
    hashes: tuple[bytes, ...]

    def verify(self, leaf: bytes, root: bytes) -> None:
        """Return if the leaf with this hash stands at ``index`` of the tree with this root.

        Raises:
            LogError: it does not, or not by this proof.
        """
        if not 0 <= self.index < self.size <= MAX_SIZE or not _are_hashes(leaf, root, *self.hashes):
            raise LogError(f"no proof: index {self.index} in a tree of {self.size}")
        number, last, value = self.index, self.size - 1, leaf
        for sibling in self.hashes:
            if last == 0:
                raise LogError("the inclusion proof has too many hashes")
            if number & 1 or number == last:
                value = node_hash(sibling, value)
                while number & 1 == 0 and number:
                    number, last = number >> 1, last >> 1
            else:
                value = node_hash(value, sibling)
            number, last = number >> 1, last >> 1
        if last or value != root:
            raise LogError(f"the inclusion proof does not lead from entry {self.index} to the root")


@dataclass(frozen=True, slots=True)
class ConsistencyProof:
    """The hashes that show that the first ``old_size`` leaves of a tree of ``size`` are those of an older
    tree."""

    old_size: int
    size: int
    hashes: tuple[bytes, ...]

    def verify(self, old_root: bytes, root: bytes) -> None:
        """Return if the tree with ``root`` continues the one with ``old_root``.

        Raises:
            LogError: it does not, or not by this proof.
        """
        if not 0 <= self.old_size <= self.size <= MAX_SIZE or not _are_hashes(old_root, root, *self.hashes):
            raise LogError(f"no proof: from a tree of {self.old_size} to one of {self.size}")
        if self.old_size in (0, self.size):
            expected = EMPTY_ROOT if self.old_size == 0 else root
            if self.hashes or old_root != expected:
                raise LogError("the two trees are not consistent")
            return
        self._walk(old_root, root)

    def _walk(self, old_root: bytes, root: bytes) -> None:
        """RFC 9162 section 2.1.4.2: the proof gives both roots, if it is one."""
        number, last, rest = self.old_size - 1, self.size - 1, list(self.hashes)
        while number & 1:
            number, last = number >> 1, last >> 1
        if number == 0 and self.old_size.bit_count() == 1:
            rest.insert(0, old_root)  # the old tree is itself a complete subtree of the new one
        if not rest:
            raise LogError("the consistency proof is empty")
        old = new = rest[0]
        for value in rest[1:]:
            if last == 0:
                raise LogError("the consistency proof has too many hashes")
            if number & 1 or number == last:
                old, new = node_hash(value, old), node_hash(value, new)
                while number & 1 == 0 and number:
                    number, last = number >> 1, last >> 1
            else:
                new = node_hash(new, value)
            number, last = number >> 1, last >> 1
        if last or (old, new) != (old_root, root):
            raise LogError(f"the tree of {self.size} does not continue that of {self.old_size}")


def prove_inclusion(index: int, size: int, node: NodeReader) -> InclusionProof:
    """The proof for leaf ``index`` of a tree of ``size`` leaves, from the hashes that ``node`` gives.

    Raises:
        LogError: there is no such leaf.
    """
    if not 0 <= index < size:
        raise LogError(f"there is no entry {index}: the log has {size}")
    start, stop, path = 0, size, list[bytes]()
    while stop - start > 1:
        middle = start + _split(stop - start)
        if index < middle:
            path.append(_root(middle, stop, node))
            stop = middle
        else:
            path.append(_root(start, middle, node))
            start = middle
    return InclusionProof(index, size, tuple(reversed(path)))


def prove_consistency(old_size: int, size: int, node: NodeReader) -> ConsistencyProof:
    """The proof that a tree of ``size`` leaves continues its own first ``old_size``.

    Raises:
        LogError: there were never so many leaves.
    """
    if not 0 <= old_size <= size:
        raise LogError(f"there is no older state of {old_size} entries: the log has {size}")
    if old_size in (0, size):
        return ConsistencyProof(old_size, size, ())
    start, stop, path = 0, size, list[bytes]()
    while stop != old_size:
        middle = start + _split(stop - start)
        if old_size <= middle:
            path.append(_root(middle, stop, node))
            stop = middle
        else:
            path.append(_root(start, middle, node))
            start = middle
    if start:  # the old tree ends with a subtree whose root its own root does not tell
        path.append(_root(start, stop, node))
    return ConsistencyProof(old_size, size, tuple(reversed(path)))


def _root(start: int, stop: int, node: NodeReader) -> bytes:
    """The root over the leaves from ``start`` to ``stop``, a range as RFC 9162 cuts trees."""
    length = stop - start
    if length.bit_count() == 1:
        level = length.bit_length() - 1
        return node(level, start >> level)
    middle = start + _split(length)
    return node_hash(_root(start, middle, node), _root(middle, stop, node))


def _split(count: int) -> int:
    """The greatest power of two below ``count``, which is at least 2."""
    return 1 << (count - 1).bit_length() - 1


def _are_hashes(*values: bytes) -> bool:
    return len(values) <= MAX_SIZE.bit_length() + 3 and all(len(value) == HASH_BYTES for value in values)
