"""What readers write, as HTML for the pages of others: whatever they write."""

import re
import time
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.services import markdown
from api.services.markdown import as_html
from api.services.mathematics import MATH_ATTRIBUTES, MATH_TAGS

# After the collections of OWASP, of markdown's own security tests, and what sanitisers were once passed by.
HOSTILE = (
    "<script>alert(1)</script>",
    "<scr<script>ipt>alert(1)</scr</script>ipt>",
    "<img src=x onerror=alert(1)>",
    "<svg/onload=alert(1)>",
    "<svg><script>alert&#40;1)</script>",
    "<svg></p><style><a id='</style><img src=1 onerror=alert(1)>'>",
    "<math><mtext><table><mglyph><style><!--</style><img title='--&gt;&lt;img src=1 onerror=alert(1)&gt;'>",
    "<math href=javascript:alert(1)>x</math>",
    "<a href='javascript:alert(1)'>x</a>",
    "<iframe srcdoc='<script>alert(1)</script>'>",
    "<form action=/sign-out method=post><button>x",
    "<body onload=alert(1)>",
    "<base href=//evil.test>",
    "<meta http-equiv=refresh content=0;url=//evil.test>",
    "<style>*{display:none}</style>",
    "<!--><img src=x onerror=alert(1)>-->",
    "<![CDATA[<img src=x onerror=alert(1)>]]>",
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](java\tscript:alert(1))",
    "[x](&#x6A;avascript:alert(1))",
    "[x](javascript&colon;alert(1))",
    "[x](vbscript:msgbox(1))",
    "[x](data:text/html;base64,PHNjcmlwdD4=)",
    '[x](//evil.test/"onmouseover="alert(1))',
    "[x](https://a.test \"t' onmouseover='alert(1)\")",
    "[x](<javascript:alert(1)>)",
    "[x]: javascript:alert(1)\n\n[x]",
    "<javascript:alert(1)>",
    "![x](https://evil.test/track.gif)",
    '![x](x"onerror="alert(1))',
    "```<script>\n</code></pre><script>alert(1)</script>\n```",
    '``` "onclick=alert(1)\nx\n```',
    "`</code><script>alert(1)</script>`",
    "$\\text{<script>alert(1)</script>}$",
    "$</math><script>alert(1)</script>$",
    "$\\href{javascript:alert(1)}{x}$",
    "$\\style{background:url(//evil.test)}{x}$",
    "$$\\class{banner}{\\unicode{x3c}img\\unicode{x3e}}$$",
    "# <b onclick=alert(1)>heading</b>",
    "> <img src=x onerror=alert(1)>",
    "* <details open ontoggle=alert(1)>",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "\x00<script>alert(1)</script>",
    '<a href="https://a.test" style="position:fixed;inset:0">x</a>',
    "<button form=act name=save value=p1>x</button>",
)
ALLOWED = {"a": {"href", "rel"}, "ol": {"start"}}


class Reader(HTMLParser):
    """Every tag with its attributes, and where links lead."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.unsafe: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in markdown._TAGS:
            self.unsafe.append(tag)
        allowed = ALLOWED.get(tag, set()) | (set(MATH_ATTRIBUTES) if tag in MATH_TAGS else set())
        self.unsafe += [f"{tag} {name}" for name, _ in attrs if name not in allowed]
        self.links += [value or "" for name, value in attrs if name == "href"]

    def handle_comment(self, data: str) -> None:
        self.unsafe.append(data)

    def handle_decl(self, decl: str) -> None:
        self.unsafe.append(decl)


def check(html: str) -> None:
    """The HTML holds what is allowed, and links lead to web addresses."""
    reader = Reader()
    reader.feed(html)
    reader.close()
    assert reader.unsafe == []
    for link in reader.links:
        scheme = re.match(r"\s*([a-z][a-z0-9+.-]*):", link, re.IGNORECASE)
        assert scheme is None or scheme[1].lower() in {"http", "https", "mailto"}, link


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_becomes_a_tag_an_attribute_or_an_address_that_runs(text: str) -> None:
    check(as_html(text))
    check(as_html(f"before **{text}** after\n\n> {text}"))


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.sampled_from((*HOSTILE, "\n", "> ", "* ", "**", "`", "$", "](", "[", ")", "\\", "<", '"')), max_size=8)
)
def test_no_mixture_of_them_does_either(parts: list[str]) -> None:
    check(as_html("".join(parts)))


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("*a* **b** ~~c~~ `d`", "<p><em>a</em> <strong>b</strong> <s>c</s> <code>d</code></p>"),
        ("a\nb", "<p>a<br>\nb</p>"),
        ("3. x", '<ol start="3">\n<li>x</li>\n</ol>'),
        ("> q", "<blockquote>\n<p>q</p>\n</blockquote>"),
        ("a < b & c", "<p>a &lt; b &amp; c</p>"),
        ("It costs $5, or $10.", "<p>It costs $5, or $10.</p>"),
    ],
)
def test_markdown_is_what_readers_expect(text: str, html: str) -> None:
    assert as_html(text).strip() == html


def test_links_say_that_readers_wrote_them() -> None:
    html = as_html("[x](https://a.test/)")
    assert re.search(r'<a href="https://a.test/" rel="[^"]*nofollow[^"]*">x</a>', html)
    assert "ugc" in html
    assert "noopener" in html


def test_mathematics_is_read_before_markdown() -> None:
    html = as_html(r"with $a*b*c_1$ and $$\frac{x_1}{y_2}$$")
    assert html.count("<math") == 2
    assert "<em>" not in html
    assert '<math display="block" tabindex="0">' in html


def test_a_heading_is_no_heading_of_the_page() -> None:
    assert as_html("# Big\n\nBig\n===") == as_html("# Big\n\nBig\n===").replace("<h", "")
    assert "# Big" in as_html("# Big")


@pytest.mark.parametrize(
    "text",
    ["[" * 5_000, "(" * 5_000, "*a " * 1_600, "> " * 2_500, "* " * 2_500, "`" * 4_999, "$a " * 1_600, "[a](" * 1_200],
)
def test_the_longest_hostile_comment_costs_little(text: str) -> None:
    began = time.thread_time()
    html = as_html(text)
    assert time.thread_time() - began < 2  # measured: 0.3 s at most
    assert len(html) < 40 * len(text)
