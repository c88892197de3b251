"""Text as BibTeX writes it, there and back: accents, symbols, braces; mathematics stays as it is.

One pass over the text, so that its length alone says how long it takes. Reading what `encode` wrote gives the text.
"""

import re
import unicodedata
from collections.abc import Iterator
from typing import Final

_MATH: Final = re.compile(r"\$(?:\\.|[^$\\])+\$", re.DOTALL)
_TOKEN: Final = re.compile(r"\\[A-Za-z]+\*?[ \t\n]*|\\.|-{2,3}|``|''|[^\\${}~`'-]+|.", re.DOTALL)
_BLANKS: Final = re.compile(r"\s+")
_SPECIAL: Final = re.compile(r"[\\{}$&%#_~^\n]|-(?=-)|(?<=-)-|`(?=`)|(?<=`)`|'(?=')|(?<=')'")

_ACCENTS: Final = {
    "`": "\u0300", "'": "\u0301", "^": "\u0302", "~": "\u0303", "=": "\u0304", "u": "\u0306", ".": "\u0307",
    '"': "\u0308", "r": "\u030a", "H": "\u030b", "v": "\u030c", "d": "\u0323", "c": "\u0327", "k": "\u0328",
    "b": "\u0331",
}  # fmt: skip
_SYMBOLS: Final = {
    "ss": "ß", "ae": "æ", "AE": "Æ", "oe": "œ", "OE": "Œ", "o": "ø", "O": "Ø", "aa": "å", "AA": "Å", "l": "ł",
    "L": "Ł", "i": "ı", "j": "ȷ", "dh": "ð", "DH": "Ð", "th": "þ", "TH": "Þ", "dj": "đ", "DJ": "Đ", "ng": "ŋ",
    "NG": "Ŋ", "textbackslash": "\\", "textbraceleft": "{", "textbraceright": "}", "lbrace": "{", "rbrace": "}",
    "textasciitilde": "~", "textasciicircum": "^", "textdollar": "$", "textunderscore": "_", "textquotedblleft": "“",
    "textquotedblright": "”", "textquoteleft": "‘", "textquoteright": "’", "textendash": "–", "textemdash": "—",
    "textellipsis": "…", "ldots": "…", "dots": "…", "textregistered": "®", "texttrademark": "™",
    "textcopyright": "©", "copyright": "©", "textdegree": "°", "textmu": "µ", "S": "§", "P": "¶", "pounds": "£",
    "euro": "€", "texteuro": "€", "par": "\n", "newline": "\n", "LaTeX": "LaTeX", "TeX": "TeX", "BibTeX": "BibTeX",
    "quad": " ", "qquad": " ", "space": " ", "slash": "/", "textless": "<", "textgreater": ">", "textbar": "|",
    "guillemotleft": "«", "guillemotright": "»", "textasteriskcentered": "*", "textquotesingle": "'",
}  # fmt: skip
_MARKS: Final = {"\\": "\n", " ": " ", ",": " ", ";": " ", ":": " ", "!": "", "-": "", "/": "", "@": "", "\n": " ",
                 "(": "$", ")": "$", "[": "$$", "]": "$$"}  # fmt: skip
# Commands that change only how their argument looks.
_LOOKS: Final = re.compile(
    r"(?:emph|text(?:bf|it|rm|sc|sf|tt|sl|up|normal|superscript|subscript)?|mbox|hbox|url|path|href|bf|it|rm|sc|sf|tt|em"
    r"|uppercase|lowercase|protect|relax|noopsort|bibinfo|natexlab|math(?:rm|bf|it|sf)|ensuremath|underline|enquote"
    r"|large|small|footnotesize)\*?"
)
_PLAIN: Final = {"--": "–", "---": "—", "``": "“", "''": "”", "{": "", "}": "", "~": " "}
_ESCAPES: Final = {
    "\\": r"\textbackslash{}",
    "{": r"\textbraceleft{}",  # BibTeX counts braces, whatever stands before them
    "}": r"\textbraceright{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "\n": r"{\par}",
    "$": r"\$",
    "&": r"\&",
    "%": r"\%",
    "#": r"\#",
    "_": r"\_",
}


def decode(text: str) -> str:
    """Return what LaTeX says as plain text; mathematics between dollars stays, and so do commands nobody knows."""
    if not any(mark in text for mark in "\\${}~`'-"):
        return text
    found: list[str] = []
    accent = ""
    at = 0
    while piece := _MATH.match(text, at) or _TOKEN.match(text, at):
        at = piece.end()
        token = piece.group()
        said = _say(token)
        if said is None:
            accent = _ACCENTS[token[1]]
            continue
        found.append(_accented(said, accent) if accent and said else said)
        if said or token == "}":  # noqa: S105 - no secret: the end of what the accent is for
            accent = ""
    return "".join(found)


def encode(text: str) -> str:
    """Return text as LaTeX: special characters are escaped, mathematics that is whole stays, letters stay UTF-8."""
    return "".join(part if is_math else _escape(part) for part, is_math in _parts(text))


def encode_title(text: str) -> str:
    """Return a title as LaTeX whose words with capitals inside keep them in every style."""
    return "".join(part if is_math else _protect(part) for part, is_math in _parts(text))


def split_level(text: str, separator: "re.Pattern[str]") -> list[str]:
    """Return the parts of LaTeX between separators that stand outside of all braces, runs of blanks as one space."""
    text = _BLANKS.sub(" ", text)  # a separator that begins with blanks would be tried at each of a million
    parts, depth, start, at = [], 0, 0, 0
    while at < len(text):
        one = text[at]
        if one == "\\":
            at += 2
            continue
        depth = max(0, depth + (one == "{") - (one == "}"))
        cut = separator.match(text, at) if depth == 0 else None
        if cut is None:
            at += 1
        else:
            parts.append(text[start:at])
            start = at = cut.end()
    return [*parts, text[start:]]


def _say(token: str) -> str | None:
    """Return what a piece of LaTeX stands for; None for an accent, which belongs to what follows."""
    if not token.startswith("\\") or len(token) == 1:
        return _PLAIN.get(token, token)
    name = token[1:].rstrip() or " "
    if name in _ACCENTS:
        return None
    if name in _SYMBOLS:
        return _SYMBOLS[name]
    if not name[0].isalpha():
        return _MARKS.get(name, name)
    return "" if _LOOKS.fullmatch(name) else token


def _accented(text: str, accent: str) -> str:
    if text[0].isspace():  # `\' e` means é
        text = text.lstrip() or " "
    base = {"ı": "i", "ȷ": "j"}.get(text[0], text[0])
    return unicodedata.normalize("NFC", base + accent) + text[1:]


def _parts(text: str) -> Iterator[tuple[str, bool]]:
    """Give the pieces of a text, and whether each is mathematics that may stay as it is."""
    start = at = 0
    while (at := text.find("$", at)) >= 0:
        math = None if text[at - 1 : at] == "\\" else _MATH.match(text, at)  # else each `\$` of a text reads its rest
        if math is None or not _is_whole(math.group()):
            at += 1
            continue
        yield text[start:at], False
        yield math.group(), True
        start = at = math.end()
    yield text[start:], False


def _is_whole(math: str) -> bool:
    """True on one line where braces match, whichever of them a reader takes for escaped."""
    if "\n" in math or "@" in math:
        return False
    for text in (math, re.sub(r"\\.", "", math), re.sub(r"\\[{}]", "", math)):
        depth = 0
        for one in text:
            depth += (one == "{") - (one == "}")
            if depth < 0:
                return False
        if depth:
            return False
    return True


def _escape(text: str) -> str:
    return _SPECIAL.sub(lambda found: _ESCAPES.get(found.group(), f"{{{found.group()}}}"), text)


def _protect(text: str) -> str:
    words = re.split(r"( +)", text)
    return "".join(f"{{{_escape(word)}}}" if _has_capitals(word) else _escape(word) for word in words)


def _has_capitals(word: str) -> bool:
    return any(one.isupper() for one in word[1:])
