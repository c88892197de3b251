"""Bytes of a file as text, whatever program wrote it."""

import codecs
from typing import Final

# The longer marks first: UTF-32's begins with that of UTF-16.
_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_LOOKED_AT: Final = 4096  # bytes that show whether every second one is empty


def decode_text(data: bytes) -> str:
    """Return a file's text with plain ends of lines: by its byte order mark, else UTF-8, UTF-16 or Windows' Latin."""
    return _decoded(data).replace("\r\n", "\n").replace("\r", "\n").replace("\0", "").lstrip("\ufeff")


def _decoded(data: bytes) -> str:
    for mark, name in _MARKS:
        if data.startswith(mark):
            return data[len(mark) :].decode(name, "replace")
    head = data[:_LOOKED_AT]
    if len(head) >= 4:
        even, odd = head[::2].count(0), head[1::2].count(0)
        if odd > len(head) // 4 and odd > even:
            return data.decode("utf-16-le", "replace")
        if even > len(head) // 4:
            return data.decode("utf-16-be", "replace")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        pass
    try:
        return data.decode("cp1252")
    except UnicodeDecodeError:
        return data.decode("latin-1")
