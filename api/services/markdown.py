"""What readers write in markdown as HTML that is safe on a page: no HTML of theirs, no pictures, no headings."""

import re
from functools import lru_cache
from typing import Final

import nh3
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict

from api.services.mathematics import MATH_ATTRIBUTES, MATH_TAGS, with_math

KEPT_TEXTS: Final = 2_048
DEEPEST: Final = 12  # quotes and lists within each other
_OFF: Final = ("heading", "hr", "html_block", "html_inline", "image", "lheading", "reference")
_TAGS: Final = frozenset(
    {"a", "blockquote", "br", "code", "em", "li", "ol", "p", "pre", "s", "strong", "ul"} | MATH_TAGS
)
_ATTRIBUTES: Final = {"*": set(), "a": {"href"}, "ol": {"start"}} | {tag: set(MATH_ATTRIBUTES) for tag in MATH_TAGS}
_SCHEMES: Final = frozenset({"http", "https", "mailto"})
_REL: Final = "nofollow ugc noopener noreferrer"  # whoever writes here gains nothing with search engines
_FORMULA: Final = re.compile(r"\$(?!\s)(?:[^$\\\n]|\\[^\n]){1,400}(?<!\s)\$|\$\$(?:[^$]){1,400}\$\$")


@lru_cache(maxsize=KEPT_TEXTS)
def as_html(text: str) -> str:
    """Return markdown as HTML, with mathematics between dollars; a kept library takes out all that is not allowed."""
    html = _parser().render(text)
    return nh3.clean(
        html, tags=set(_TAGS), attributes=_ATTRIBUTES, url_schemes=set(_SCHEMES), link_rel=_REL, strip_comments=True
    )


@lru_cache(maxsize=1)
def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False, "breaks": True, "maxNesting": DEEPEST})
    parser.enable("strikethrough").disable(_OFF)
    parser.inline.ruler.before("escape", "formula", _find_formula)  # before stars and bars in it mean anything else
    parser.add_render_rule("formula", _render_formula)
    return parser


def _find_formula(state: StateInline, silent: bool) -> bool:
    if state.src[state.pos] != "$":
        return False
    found = _FORMULA.match(state.src, state.pos)
    if found is None or found.end() > state.posMax:
        return False
    if not silent:
        state.push("formula", "", 0).content = found[0]
    state.pos = found.end()
    return True


def _render_formula(_self: RendererHTML, tokens: list[Token], at: int, _options: OptionsDict, _env: EnvType) -> str:
    return with_math(tokens[at].content)
