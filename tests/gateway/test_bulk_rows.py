"""A file of edits becomes rows; whatever is wrong with one is said of that one (DOMAIN 6)."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.gateway.bulk.rows import MOST_ROWS, BadFile, rows_of

CSV, LINES = "text/csv", "application/x-ndjson"
HEADING = b"bundle_id,line_id,quantity\n"


def test_a_file_from_a_spreadsheet_is_read_as_it_is() -> None:
    """With a byte order mark, carriage returns, quotes, columns in any order and empty lines."""
    body = b'\xef\xbb\xbfquantity,product,bundle_id\r\n"8","Pro, monthly",b1\r\n\r\n9,,b2\r\n'
    first, second = rows_of(body, CSV)
    assert first.wish
    assert second.wish
    assert (first.number, first.bundle_id, first.wish.quantity, first.wish.product) == (1, "b1", 8, "Pro, monthly")
    assert (second.number, second.wish.quantity, second.wish.line_id) == (2, 9, None)


def test_json_lines_say_the_same() -> None:
    (row,) = rows_of(b'{"bundle_id": "b1", "quantity": 8, "effective_on": "2026-06-15", "revision": 3}\n\n', LINES)
    assert row.wish
    assert (row.wish.quantity, str(row.wish.effective_on), row.wish.revision) == (8, "2026-06-15", 3)


BAD_FILES = {
    b"": "must name the columns",
    b"\xff\xfe": "not UTF-8 at byte 0",
    b"8,b1\n": "no column is called '8'",
    b"bundle_id\nb1\n": "quantity among them",
    b"bundle_id,quantity,price\nb1,8,0\n": "no column is called 'price'",
    b"bundle_id,quantity,quantity\nb1,8,9\n": "twice",
    HEADING: "no rows",
    HEADING + b'b1,,"8': "line 2",
    HEADING + b"b1,,8\n" * (MOST_ROWS + 1): "more than 5,000 rows",
}


@pytest.mark.parametrize(("body", "reason"), BAD_FILES.items(), ids=BAD_FILES.values())
def test_a_file_that_is_none_is_refused_as_a_whole(body: bytes, reason: str) -> None:
    with pytest.raises(BadFile, match=reason):
        rows_of(body, CSV)


def test_a_file_says_what_it_is() -> None:
    with pytest.raises(BadFile, match="Content-Type"):
        rows_of(HEADING + b"b1,,8\n", "application/json")


BAD_ROWS = {
    b"b1,,2.0\n": "quantity",
    b"b1,,0\n": "quantity",
    b"b1,,-5\n": "quantity",
    b"b1,,1000001\n": "quantity",
    b"b1,,99999999999999999999\n": "quantity",
    b"b1,,\xd9\xa8\n": "quantity",
    b"b1,,=1+1\n": "quantity",
    b"=cmd|' /C calc'!A0,,8\n": "bundle_id",
    b",,8\n": "bundle_id",
    b"b1,line 1,8\n": "line_id",
    b"b1,8\n": "2 values in 3 columns",
    b"b1,,8,9\n": "4 values in 3 columns",
}


@pytest.mark.parametrize(("line", "wrong"), BAD_ROWS.items(), ids=map(str, BAD_ROWS))
def test_a_row_that_is_none_is_told_so_and_the_others_are_read(line: bytes, wrong: str) -> None:
    bad, good = rows_of(HEADING + line + b"b9,,8\n", CSV)
    assert bad.wish is None
    assert bad.wrong
    assert wrong in bad.wrong
    assert good.wish


BAD_LINES = [
    b"{",
    b"[]",
    b"7",
    b'"b1"',
    b'{"bundle_id": "b1"}',
    b'{"bundle_id": "b1", "quantity": "8"}',
    b'{"bundle_id": "b1", "quantity": true}',
    b'{"bundle_id": "b1", "quantity": 8, "price": 1}',
    b'{"bundle_id": 7, "quantity": 8}',
    b'{"bundle_id": "b1", "quantity": 8, "effective_on": "2026-02-30"}',
]


@pytest.mark.parametrize("line", BAD_LINES)
def test_a_line_of_json_that_is_no_edit_is_told_so(line: bytes) -> None:
    bad, good = rows_of(line + b'\n{"bundle_id": "b9", "quantity": 8}', LINES)
    assert (bad.wish, bool(bad.wrong)) == (None, True)
    assert good.wish


def test_of_two_rows_for_one_line_the_second_is_told() -> None:
    rows = rows_of(HEADING + b"b1,line-2,8\nb1,,3\nb1,line-2,9\n", CSV)
    assert [row.wrong for row in rows] == [None, None, "row 1 is about the same line"]


@given(st.lists(st.lists(st.text(max_size=8), max_size=4), max_size=6))
def test_whatever_a_spreadsheet_holds_is_rows_or_a_bad_file(cells: list[list[str]]) -> None:
    out = io.StringIO(newline="")
    csv.writer(out).writerows([["bundle_id", "line_id", "quantity"], *cells])
    try:
        rows = rows_of(out.getvalue().encode(errors="replace"), CSV)
    except BadFile:
        return
    assert all((row.wish is None) != (row.wrong is None) for row in rows)


@given(st.binary(max_size=60), st.sampled_from([CSV, LINES]))
def test_whatever_is_sent_is_rows_or_a_bad_file(body: bytes, media_type: str) -> None:
    try:
        rows = rows_of(body, media_type)
    except BadFile:
        return
    assert [row.number for row in rows] == list(range(1, len(rows) + 1))
