"""Merkle trees as RFC 9162 (2.1) hashes them: one root for a whole log, and short proofs that an event is in it.

A tree is kept as its complete subtrees: (level, number) is the one over leaves number·2^level up to (number+1)·2^level.
"""

import hashlib
from collections.abc import Callable, Sequence

EMPTY = hashlib.sha256().digest()  # the root of no leaf

Node = Callable[[int, int], bytes]  # level and number of a complete subtree → its hash


def leaf_hash(entry: bytes) -> bytes:
    return hashlib.sha256(b"\0" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\1" + left + right).digest()


class Growing:
    """A tree that only grows, of which the log₂(size) complete subtrees along its right edge are kept."""

    def __init__(self, size: int = 0, node: Node | None = None) -> None:
        """node: of the tree to go on with."""
        self.size = size
        self._peaks: list[bytes] = []  # the largest first, one for each 1 in the size's digits
        if node:
            done = 0
            for level in reversed(range(size.bit_length())):
                if size >> level & 1:
                    self._peaks.append(node(level, done >> level))
                    done += 1 << level

    def add(self, leaf: bytes) -> list[tuple[int, int, bytes]]:
        """Takes in the hash of a leaf. The subtrees this completes, itself among them: level, number, hash."""
        number, level, done = self.size, 0, leaf
        completed = [(level, number, done)]
        while number & 1:
            number, level, done = number >> 1, level + 1, node_hash(self._peaks.pop(), done)
            completed.append((level, number, done))
        self._peaks.append(done)
        self.size += 1
        return completed

    def root(self) -> bytes:
        if not self._peaks:
            return EMPTY
        *left, root = self._peaks
        for peak in reversed(left):
            root = node_hash(peak, root)
        return root


def root_of(size: int, node: Node) -> bytes:
    """Of the first `size` leaves of a tree."""
    return Growing(size, node).root()


def inclusion_path(index: int, size: int, node: Node) -> list[bytes]:
    """PATH of RFC 9162, 2.1.3.1: the hashes beside the way from a leaf up to the root of the first `size`."""
    assert 0 <= index < size
    path: list[bytes] = []
    low, high = 0, size
    while high - low > 1:
        middle = low + (1 << (high - low - 1).bit_length() - 1)
        if index < middle:
            path.append(_range(middle, high, node))
            high = middle
        else:
            path.append(_range(low, middle, node))
            low = middle
    return path[::-1]


def root_by(leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes:
    """The root a path leads to (RFC 9162, 2.1.3.2). Raises ValueError for a path that cannot be one."""
    if not 0 <= index < size:
        raise ValueError("no such leaf in a tree of that size")
    number, last, root = index, size - 1, leaf
    for beside in path:
        if last == 0:
            raise ValueError("the path is too long")
        if number & 1 or number == last:
            root = node_hash(beside, root)
            while not number & 1 and number:
                number, last = number >> 1, last >> 1
        else:
            root = node_hash(root, beside)
        number, last = number >> 1, last >> 1
    if last:
        raise ValueError("the path is too short")
    return root


def _range(low: int, high: int, node: Node) -> bytes:
    """The hash over leaves low up to high, where low is a multiple of the power of two it is split at."""
    length = high - low
    if length & length - 1 == 0:
        level = length.bit_length() - 1
        return node(level, low >> level)
    middle = low + (1 << (length - 1).bit_length() - 1)
    return node_hash(_range(low, middle, node), _range(middle, high, node))
