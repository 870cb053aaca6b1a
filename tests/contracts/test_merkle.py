"""Merkle trees, beside the published roots of Certificate Transparency's reference leaves and RFC 9162's definition."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.merkle import EMPTY, Growing, Node, inclusion_path, leaf_hash, node_hash, root_by, root_of

# Of the reference implementation (github.com/google/certificate-transparency, merkletree tests).
LEAVES = [
    bytes.fromhex(text)
    for text in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
MOST = 70


def grown(entries: list[bytes]) -> tuple[Growing, Node]:
    tree, nodes = Growing(), dict[tuple[int, int], bytes]()
    for entry in entries:
        nodes |= {(level, number): done for level, number, done in tree.add(leaf_hash(entry))}
    return tree, lambda level, number: nodes[level, number]


def defined(entries: list[bytes]) -> bytes:
    """MTH as RFC 9162, 2.1.1 defines it."""
    if not entries:
        return EMPTY
    if len(entries) == 1:
        return leaf_hash(entries[0])
    half = 1 << (len(entries) - 1).bit_length() - 1
    return node_hash(defined(entries[:half]), defined(entries[half:]))


def numbered(size: int) -> list[bytes]:
    return [str(number).encode() for number in range(size)]


@pytest.mark.parametrize("size", range(9))
def test_roots_are_the_published_ones(size: int) -> None:
    assert grown(LEAVES[:size])[0].root().hex() == ROOTS[size]


@given(st.integers(0, MOST), st.integers(0, MOST))
def test_a_tree_gives_the_root_of_any_of_its_sizes_and_goes_on_from_there(size: int, more: int) -> None:
    entries = numbered(size + more)
    _, node = grown(entries)
    assert root_of(size, node) == defined(entries[:size])
    again = Growing(size, node)
    for entry in entries[size:]:
        again.add(leaf_hash(entry))
    assert (again.size, again.root()) == (size + more, defined(entries))


@given(st.data(), st.integers(1, MOST), st.integers(0, MOST))
def test_a_proof_is_short_and_leads_to_the_root_from_its_leaf_alone(data: st.DataObject, size: int, more: int) -> None:
    entries = numbered(size + more)
    root, (_, node) = defined(entries[:size]), grown(entries)
    index = data.draw(st.integers(0, size - 1))
    path = inclusion_path(index, size, node)
    assert len(path) <= (size - 1).bit_length()
    assert root_by(leaf_hash(entries[index]), index, size, path) == root
    assert root_by(leaf_hash(b"another"), index, size, path) != root
    other = data.draw(st.integers(0, size - 1).filter(lambda number: number != index) if size > 1 else st.just(-1))
    with contextlib.suppress(ValueError):
        assert root_by(leaf_hash(entries[index]), other, size, path) != root
    for wrong in (path[:-1], [*path, root]):
        if wrong != path:
            with pytest.raises(ValueError, match="too"):
                root_by(leaf_hash(entries[index]), index, size, wrong)
