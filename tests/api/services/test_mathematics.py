"""Titles and abstracts as HTML with MathML, whoever wrote them."""

import re
import time
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.services import mathematics
from api.services.mathematics import with_math

PARTS = (
    *("$", "$$", "\\(", "\\)", "\\[", "\\]", "{", "}", "x", "1", "^", "_", "&", "\\\\", "'", "<", '"', " ", "\\", "%"),
    *("\\frac", "\\sqrt", "\\text{", "\\left(", "\\right)", "\\begin{matrix}", "\\end{matrix}", "\\color{red}"),
    *("\\style{a:b}", "\\href{javascript:x}", "\\def\\a", "\\newcommand", "\\hspace{9cm}", "\\mathbf{", "\\not"),
    *("<script>", "&lt;script&gt;", "&#60;b&#62;", "\\unicode{x3c}", "\x00", "\ud800", "\\displaystyle"),
)
TEX = st.lists(st.sampled_from(PARTS), max_size=60).map("".join)


class Reader(HTMLParser):
    """What a browser is given: tags with attributes, and the text between them."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: set[str] = set()
        self.attributes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}


def read(html: str) -> Reader:
    reader = Reader()
    reader.feed(html)
    reader.close()
    return reader


@pytest.mark.parametrize(
    ("text", "part"),
    [
        (r"in $\mathcal{O}(n)$ steps", "<mi>𝒪</mi>"),
        (r"a \(x_1\) b", "<msub><mi>x</mi><mn>1</mn></msub>"),
        (r"$$\frac{1}{2}$$", '<math display="block" tabindex="0">'),
        (r"\[a\]", '<math display="block" tabindex="0">'),
        (r"$\sim$10 times", "</math>10 times"),
        (r"$>$90\%", "</math>90%"),
        (r"$\mathbf{AB}$", "<mi>𝐀</mi><mi>𝐁</mi>"),
        (r"\emph{very} good", "<em>very</em> good"),
        (r"AT\&T at 50\% of \$5", "AT&amp;T at 50% of $5"),
    ],
)
def test_mathematics_is_made_of_what_stands_between_dollars_and_brackets(text: str, part: str) -> None:
    assert part in with_math(text)


@pytest.mark.parametrize(
    "text",
    [
        "It costs $5, or $10 with tax, not 5 $ or $ 6.",
        "between US$5-$10 per run",
        "$5 and US$ more$",
        r"$\foo{x}$",
        r"$\frac{1$",
        r"$\left(x$",
        r"$\def\a{x}\a$",
        r"$\newcommand{\a}{x}$",
        r"$\href{https://example.org}{x}$",
        "$" + "x" * (mathematics.LONGEST_FORMULA + 1) + "$",
        "$" + "{" * 100 + "x" + "}" * 100 + "$",
        "$unclosed",
    ],
)
def test_what_is_no_readable_mathematics_stays_text(text: str) -> None:
    assert with_math(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)> $x$",
        r"$\text{<script>alert(1)</script>}$",
        r"$\text{&lt;script&gt;}$",
        r"$\mbox{<img src=x onerror=alert(1)>}$",
        r"$\href{javascript:alert(1)}{x}$",
        r"$\style{background:url(//x)}{x}$",
        r"$\class{banner}{x}$",
        r'$\color{red" onclick="alert(1)}{x}$',
        r"$\unicode{x3c}script\unicode{x3e}$",
        r"$\hspace{99999px}x$",
        r"\emph{<b onclick=x>}",
        r"$\operatorname{</math><script>}$",
    ],
)
def test_nothing_in_a_text_becomes_a_tag_or_an_attribute_of_its_own(text: str) -> None:
    found = read(with_math(text))
    assert found.tags <= mathematics.MATH_TAGS | {"em", "strong", "code"}
    assert found.attributes <= mathematics.MATH_ATTRIBUTES


@settings(max_examples=300, deadline=None)
@given(TEX)
def test_any_text_gives_safe_html_and_no_error(text: str) -> None:
    found = read(with_math(text))
    assert found.tags <= mathematics.MATH_TAGS | {"em", "strong", "code"}
    assert found.attributes <= mathematics.MATH_ATTRIBUTES


@pytest.mark.parametrize(
    "part",
    [
        *("$", "\\(", "\\[", "\\(\\[", "$a ", "$$ ", "\\text{", "\\", "{", "\\emph{"),
        "$" + "(" * 590 + "$ ",
        "$" + "{" * 250 + "x" + "}" * 250 + "$ ",
        "$" + "x^{" * 90 + "y" + "}" * 90 + "$ ",
        "$" + "&" * 590 + "$ ",
        "$" + r"\displaystyle" * 45 + "$ ",
        "$" + r"\operatorname{" + " " * 500 + "$ ",
        "$" + r"\sqrt" * 100 + "x$ ",
    ],
)
def test_a_hostile_text_costs_little_and_stays_small(part: str) -> None:
    text = part * (60_000 // len(part))
    began = time.thread_time()
    html = with_math(text)
    assert time.thread_time() - began < 1  # measured: 0.08 s at most
    assert len(html) < 6 * len(text) + mathematics.MOST_MATHML + mathematics.LARGEST_MATHML


def test_a_macro_that_doubles_itself_is_not_followed() -> None:
    doubling = "".join(rf"\def\{chr(98 + at)}{{\{chr(97 + at)}\{chr(97 + at)}}}" for at in range(24))
    began = time.thread_time()
    assert "<math" not in with_math(rf"$\def\a{{x}}{doubling}\y$")
    assert time.thread_time() - began < 1


def test_the_same_text_is_read_once() -> None:
    text = r"A title with $\alpha_{123}$"
    with_math(text)
    before = mathematics._text_as_html.cache_info().hits
    assert with_math(text) == with_math(text)
    assert mathematics._text_as_html.cache_info().hits == before + 2


def test_no_character_that_a_page_may_not_hold_comes_out_of_a_formula() -> None:
    html = with_math("$\\text{a\x00b\ud800}$")
    assert not re.search("[\x00-\x08\ud800-\udfff]", re.sub(r"^\$.*", "", html))
