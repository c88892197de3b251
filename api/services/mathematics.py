"""Titles and abstracts as HTML: what stands between dollars becomes MathML, what cannot be read stays as it was."""

import re
from functools import lru_cache
from html import escape, unescape
from typing import Final
from xml.etree.ElementTree import Element, SubElement, tostring

from latex2mathml.converter import Converter

LONGEST_FORMULA: Final = 600  # characters; a longer one stays text: about 10 ms for the worst of this length
MOST_TEX: Final = 4_000  # characters of formulas that are read in one text, so that no text costs more than 0.1 s
LARGEST_MATHML: Final = 20_000  # characters of one formula
MOST_MATHML: Final = 60_000  # of one text
DEEPEST: Final = 40  # elements within each other: what browsers lay out without effort
KEPT_FORMULAS: Final = 4_096  # `$k$` and `$O(n)$` come again and again
KEPT_TEXTS: Final = 1_024

# A dollar opens before a character that is no space and closes after one; of two prices the second closes nothing.
# No body holds its own opening, so that a text of openings alone is read once.
_BODY: Final = f"{{1,{LONGEST_FORMULA}}}"
_FORMULA: Final = re.compile(
    r"\\(?P<mark>[$%&#_])"
    rf"|\$\$(?P<display>[^$]{_BODY})\$\$"
    rf"|\\\[(?P<block>(?:(?!\\[\[\]])[\s\S]){_BODY})\\\]"
    rf"|\\\((?P<inline>(?:(?!\\[()])[\s\S]){_BODY})\\\)"
    rf"|\$(?![\s$])(?P<dollar>(?:[^$\\]|\\[\s\S]){_BODY})(?<!\s)\$"
    rf"|\\(?P<face>emph|textit|textsl|textbf|texttt|textsc|textrm|text)\{{(?P<words>[^{{}}\\$]{_BODY})\}}"
)
_PRICE: Final = re.compile(r"\d[^\\^_{}=<>+*/]*")  # with a space within, or before a digit
_FACES: Final = {"emph": "em", "textit": "em", "textsl": "em", "textbf": "strong", "texttt": "code"}
# A definition may double what it stands for with every line; an address or a look is nobody's to choose here.
_REFUSED: Final = re.compile(
    r"\\(?:[a-z]*def|let|(?:re)?newcommand|providecommand|(?:re)?newenvironment|DeclareMathOperator"
    r"|href|url|style|class|unicode|require|verb|tag|label|ref)(?![a-zA-Z])"
)
MATH_TAGS: Final = frozenset(
    {
        *("math", "mrow", "mi", "mn", "mo", "mtext", "ms", "mspace", "mfrac", "msqrt", "mroot", "mstyle"),
        *("merror", "mpadded", "mphantom", "menclose", "msub", "msup", "msubsup", "munder", "mover"),
        *("munderover", "mmultiscripts", "mprescripts", "none", "mtable", "mtr", "mtd", "mlabeledtr"),
    }
)
_VALUE: Final = re.compile(r"[a-z]+(?:[ -][a-z]+)*|[+-]?\d?(?:\.\d{1,4})?(?:em|ex)?|\d")
MATH_ATTRIBUTES: Final = frozenset(
    {
        *("accent", "accentunder", "columnalign", "columnlines", "columnspacing", "depth", "display"),
        *("displaystyle", "fence", "form", "height", "largeop", "linethickness", "lspace", "mathvariant"),
        *("maxsize", "minsize", "movablelimits", "rowlines", "rowspacing", "rspace", "scriptlevel"),
        *("separator", "stretchy", "symmetric", "tabindex", "voffset", "width"),
    }
)
_BOLD: Final = {
    first + at: bold + at
    for first, bold, many in ((ord("A"), 0x1D400, 26), (ord("a"), 0x1D41A, 26), (ord("0"), 0x1D7CE, 10))
    for at in range(many)
}


class _Unreadable(ValueError):
    """This formula is shown as it was written."""


def with_math(text: str) -> str:
    """Return a text as HTML with its mathematics as MathML; safe to put into a page, whatever the text is."""
    if "$" not in text and "\\" not in text:
        return escape(text)
    return _text_as_html(text)


@lru_cache(maxsize=KEPT_TEXTS)
def _text_as_html(text: str) -> str:
    parts: list[str] = []
    end = tex = length = 0
    for found in _FORMULA.finditer(text):
        parts.append(escape(text[end : found.start()]))
        end = found.end()
        html = None
        if found["mark"]:
            html = escape(found["mark"])
        elif found["face"]:
            html = _words_as_html(found["face"], found["words"])
        elif tex + len(found[0]) <= MOST_TEX and length <= MOST_MATHML and not _is_price(found):
            tex += len(found[0])
            formula = found["dollar"] or found["inline"] or found["display"] or found["block"]
            html = _as_mathml(formula, is_block=found["dollar"] is None and found["inline"] is None)
            length += len(html or "")
        parts.append(escape(found[0]) if html is None else html)
    parts.append(escape(text[end:]))
    return "".join(parts)


def _is_price(found: re.Match[str]) -> bool:
    """True for what stands between the dollars of `$5 and US$10` and of `$5-$10`."""
    body = found["dollar"]
    if body is None or _PRICE.fullmatch(body) is None:
        return False
    return any(letter.isspace() for letter in body) or found.string[found.end() : found.end() + 1].isdigit()


def _words_as_html(face: str, words: str) -> str:
    tag = _FACES.get(face)
    return escape(words) if tag is None else f"<{tag}>{escape(words)}</{tag}>"


@lru_cache(maxsize=KEPT_FORMULAS)
def _as_mathml(formula: str, *, is_block: bool) -> str | None:
    """Return a formula as MathML, None when it cannot be read."""
    bare = formula.replace(r"\{", "").replace(r"\}", "")
    if _REFUSED.search(formula) or bare.count("{") != bare.count("}"):
        return None
    try:
        tree = Converter(display="block" if is_block else "inline").convert_to_element(" ".join(formula.split()))
        safe = _safe_copy(tree, None, depth=0)
        if is_block:
            safe.set("tabindex", "0")  # it may be wider than a phone: whoever has no mouse scrolls it by keys
        mathml = tostring(safe, encoding="unicode", short_empty_elements=False)
    except Exception:  # noqa: BLE001 - a parser of anybody's text raises what it likes, down to RecursionError
        return None
    return mathml if len(mathml) <= LARGEST_MATHML else None


def _safe_copy(element: Element, parent: Element | None, *, depth: int) -> Element:
    """Return the element with known tags and harmless attributes alone, its text as characters.

    The library leaves character references in texts and takes back every escape when it writes them, and with it what
    a formula says in `\\text{<script>}`: so only its tree is used.
    """
    if element.tag not in MATH_TAGS or depth > DEEPEST:
        raise _Unreadable
    given = element.attrib.items()
    attributes = {name: value for name, value in given if name in MATH_ATTRIBUTES and _VALUE.fullmatch(value)}
    text = unescape(element.text or "")
    if len(text) > 1 and "\\" in text:
        raise _Unreadable  # a command that nobody knows
    if attributes.get("mathvariant") == "bold":  # browsers know `normal` alone
        text = text.translate(_BOLD)
        del attributes["mathvariant"]
    copy = Element(element.tag, attributes) if parent is None else SubElement(parent, element.tag, attributes)
    copy.text = _characters(text)
    for child in element:
        _safe_copy(child, copy, depth=depth + 1)
    return copy


def _characters(text: str) -> str:
    """Return the text without what may not stand in a page."""
    return "".join(letter for letter in text if letter >= " " and not "\ud800" <= letter <= "\udfff")
