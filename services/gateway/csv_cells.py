"""Cells of CSV files that people open in a spreadsheet."""


def plain(text: str) -> str:
    """Never a formula to a spreadsheet: what would begin one gets an apostrophe before it (OWASP, CSV injection)."""
    return f"'{text}" if text[:1] in tuple("=+-@\t\r\n＝＋－＠") else text
