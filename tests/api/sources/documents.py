"""Documents in the shapes in which sources answer, about papers that nobody wrote."""

from collections.abc import Sequence
from typing import Any, Final
from xml.sax.saxutils import escape, quoteattr

import orjson

DECLARATION: Final = '<?xml version="1.0" encoding="UTF-8"?>\n'
OAI_ROOT: Final = (
    '<OAI-PMH xmlns="http://www.openarchives.org/OAI/2.0/" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
    'xsi:schemaLocation="http://www.openarchives.org/OAI/2.0/ http://www.openarchives.org/OAI/2.0/OAI-PMH.xsd">'
)
RSS_ROOT: Final = (
    '<rss xmlns:arxiv="http://arxiv.org/schemas/atom" xmlns:dc="http://purl.org/dc/elements/1.1/" '
    'xmlns:atom="http://www.w3.org/2005/Atom" version="2.0">'
)
ABSTRACT: Final = "We let ladders lean on ladders & measure which of them hold, for all $a < b$."
BOMB: Final = """<?xml version="1.0"?>
<!DOCTYPE lolz [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">
<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;"><!ENTITY d "&c;&c;&c;&c;&c;&c;&c;&c;&c;&c;">
<!ENTITY e "&d;&d;&d;&d;&d;&d;&d;&d;&d;&d;"><!ENTITY f "&e;&e;&e;&e;&e;&e;&e;&e;&e;&e;">]>
"""
WEB_PAGE: Final = (
    b"<!DOCTYPE html><html><head><title>Under maintenance</title></head><body><p>Back soon<br></body></html>"
)


def atom_entry(
    versioned_id: str = "2611.01234v1",
    *,
    title: str = "Ladders That\n  Lean",
    summary: str = ABSTRACT,
    published: str = "2026-11-19T10:00:00Z",
    updated: str | None = None,
    authors: Sequence[str] = ("Ann Bee", "Cyrille Dée"),
    categories: Sequence[str] = ("cs.RO", "cs.AI"),
    comment: str | None = "12 pages, 3 figures",
    extra: str = "",
) -> str:
    names = "".join(f"<author><name>{escape(name)}</name></author>" for name in authors)
    terms = "".join(f'<category term="{term}" scheme="http://arxiv.org/schemas/atom"/>' for term in categories)
    said = f"<arxiv:comment>{escape(comment)}</arxiv:comment>" if comment is not None else ""
    return f"""  <entry>
    <id>http://arxiv.org/abs/{versioned_id}</id>
    <title>{escape(title)}</title>
    <updated>{updated or published}</updated>
    <link href="https://arxiv.org/abs/{versioned_id}" rel="alternate" type="text/html"/>
    <summary>{escape(summary)}</summary>
    {terms}
    <published>{published}</published>
    {said}
    <arxiv:primary_category term="{categories[0]}"/>
    {names}{extra}
  </entry>
"""


def atom_feed(*entries: str, total: int | None = None, start: int = 0) -> bytes:
    return (
        DECLARATION
        + f"""<feed xmlns:opensearch="http://a9.com/-/spec/opensearch/1.1/"
 xmlns:arxiv="http://arxiv.org/schemas/atom" xmlns="http://www.w3.org/2005/Atom">
  <id>https://arxiv.org/api/cHxbiOdZaP56ODnBPIenZhzg5f8</id>
  <title>arXiv Query: search_query=cat:cs.RO</title>
  <updated>2026-11-23T00:00:00Z</updated>
  <opensearch:itemsPerPage>{len(entries)}</opensearch:itemsPerPage>
  <opensearch:totalResults>{len(entries) if total is None else total}</opensearch:totalResults>
  <opensearch:startIndex>{start}</opensearch:startIndex>
{"".join(entries)}</feed>
"""
    ).encode()


def atom_error(reason: str = "incorrect id format for 26x1") -> bytes:
    entry = f"""<entry><id>https://arxiv.org/api/errors#incorrect_id_format_for_26x1</id><title>Error</title>
    <summary>{escape(reason)}</summary><updated>2026-11-23T00:00:00Z</updated>
    <author><name>arXiv api core</name></author></entry>"""
    return atom_feed(entry)


def oai_record(
    arxiv_id: str = "2611.01234",
    *,
    title: str = "Ladders That Lean",
    abstract: str = ABSTRACT,
    created: str = "2026-11-19",
    updated: str | None = None,
    comments: str = "12 pages",
    categories: str = "cs.RO cs.AI",
    suffix: str = "",
    extra: str = "",
) -> str:
    revised = f"<updated>{updated}</updated>" if updated else ""
    return f"""<record><header><identifier>oai:arXiv.org:{arxiv_id}</identifier><datestamp>2026-11-20</datestamp>
<setSpec>cs:cs:RO</setSpec></header><metadata>
<arXiv xmlns="http://arxiv.org/OAI/arXiv/" xsi:schemaLocation="http://arxiv.org/OAI/arXiv/ http://arxiv.org/OAI/a.xsd">
<id>{arxiv_id}</id><created>{created}</created>{revised}<authors><author><keyname>Bee</keyname><forenames>Ann</forenames>
</author><author><keyname>Dée</keyname><forenames>Cyrille</forenames>{suffix}</author></authors>
<title>{escape(title)}</title><categories>{categories}</categories><comments>{escape(comments)}</comments>{extra}
<license>http://creativecommons.org/licenses/by/4.0/</license><abstract>{escape(abstract)}</abstract></arXiv>
</metadata></record>
"""


def oai_deleted(arxiv_id: str = "2611.01234") -> str:
    return f"""<record><header status="deleted"><identifier>oai:arXiv.org:{arxiv_id}</identifier>
<datestamp>2026-11-20</datestamp></header></record>
"""


def oai_answer(inner: str) -> bytes:
    return f"""{DECLARATION}{OAI_ROOT}
<responseDate>2026-11-23T06:00:00Z</responseDate>
<request verb="ListRecords" metadataPrefix="arXiv" set="cs">https://oaipmh.arxiv.org/oai</request>
{inner}
</OAI-PMH>""".encode()


def oai_list(*records: str, token: str | None = None) -> bytes:
    flow = f"<resumptionToken expirationDate='2026-11-24T00:00:00Z'>{escape(token)}</resumptionToken>" if token else ""
    return oai_answer(f"<ListRecords>\n{''.join(records)}{flow}</ListRecords>")


def oai_error(code: str, reason: str = "") -> bytes:
    return oai_answer(f"<error code={quoteattr(code)}>{escape(reason)}</error>")


def rss_item(
    versioned_id: str = "2611.01234v1",
    *,
    announced: str = "new",
    title: str = "Ladders That Lean",
    abstract: str = ABSTRACT,
    categories: Sequence[str] = ("cs.RO", "cs.AI"),
) -> str:
    terms = "".join(f"<category>{term}</category>" for term in categories)
    text = f"arXiv:{versioned_id} Announce Type: {announced} \nAbstract: {abstract}"
    return f"""<item><title>{escape(title)}</title><link>https://arxiv.org/abs/{versioned_id.partition("v")[0]}</link>
<description>{escape(text)}</description><guid isPermaLink="false">oai:arXiv.org:{versioned_id}</guid>{terms}
<pubDate>Mon, 23 Nov 2026 00:00:00 -0500</pubDate><arxiv:announce_type>{announced}</arxiv:announce_type>
<dc:rights>http://creativecommons.org/licenses/by/4.0/</dc:rights><dc:creator>Ann Bee, Cyrille Dée</dc:creator></item>
"""


def rss_feed(*items: str) -> bytes:
    return f"""<?xml version='1.0' encoding='UTF-8'?>
{RSS_ROOT}<channel><title>cs.RO updates on arXiv.org</title><link>http://rss.arxiv.org/rss/cs.RO</link>
<description>cs.RO updates on the arXiv.org e-print archive.</description><language>en-us</language>
<atom:link href="http://rss.arxiv.org/rss/cs.RO" rel="self" type="application/rss+xml"/>
<skipDays><day>Saturday</day><day>Sunday</day></skipDays>
{"".join(items)}</channel></rss>""".encode()


def daily_item(arxiv_id: str = "2611.01234", **fields: object) -> dict[str, Any]:
    """Return an item of the daily list; `fields` go into its paper, over the usual ones."""
    paper = {
        "id": arxiv_id,
        "title": "Ladders That Lean (daily)",
        "summary": "Ladders lean.",
        "authors": [{"_id": "1", "name": "A. Bee", "hidden": False}, {"_id": "2", "name": "C. Dee", "hidden": False}],
        "publishedAt": "2026-11-19T00:00:00.000Z",
        "submittedOnDailyAt": "2026-11-20T07:08:09.000Z",
        "submittedOnDailyBy": {"_id": "3", "user": "climber", "name": "climber", "fullname": "C. L.", "type": "user"},
        "upvotes": 41,
        "discussionId": "4",
        "ai_keywords": ["ladders", "leaning"],
        "githubRepo": "https://github.com/climbers/ladders",
        "githubStars": 7,
        "organization": {"_id": "5", "name": "climbers", "fullname": "The Climbers", "avatar": "https://e.org/a.png"},
    }
    return {
        "paper": paper | fields,
        "publishedAt": "2026-11-20T07:08:09.000Z",
        "title": paper["title"],
        "summary": paper["summary"],
        "thumbnail": "https://example.org/ladders.png",
        "numComments": 2,
        "submittedBy": {"_id": "3", "user": "climber", "name": "climber", "type": "user"},
        "isAuthorParticipating": False,
    }


def graph_paper(arxiv_id: str = "2611.01234", **fields: object) -> dict[str, Any]:
    """Return a paper as Semantic Scholar's graph tells it."""
    return {
        "paperId": "b" * 40,
        "externalIds": {"ArXiv": arxiv_id, "DOI": "10.1234/Ladders.7", "CorpusId": 1},
        "title": "Ladders that lean",
        "abstract": None,
        "authors": [{"authorId": "1", "name": "Ann Bee"}, {"authorId": None, "name": "Cyrille Dée"}],
        "citationCount": 12,
        "referenceCount": 30,
        "fieldsOfStudy": ["Computer Science"],
        "s2FieldsOfStudy": [
            {"category": "Computer Science", "source": "external"},
            {"category": "Engineering", "source": "s2-fos-model"},
        ],
    } | fields


def open_work(arxiv_id: str = "2611.01234", **fields: object) -> dict[str, Any]:
    """Return a work as OpenAlex tells it."""
    return {
        "doi": f"https://doi.org/10.48550/arxiv.{arxiv_id.lower()}",
        "title": "Ladders That Lean",
        "authorships": [{"author_position": "first", "author": {"id": "A1", "display_name": "Ann Bee"}}],
        "locations": [{"landing_page_url": f"https://arxiv.org/abs/{arxiv_id}", "pdf_url": None}],
        "abstract_inverted_index": {"ladders": [1, 4], "We": [0], "lean": [2], "on": [3]},
        "cited_by_count": 10,
        "referenced_works_count": 28,
        "primary_topic": {"display_name": "Ladder Safety", "field": {"display_name": "Engineering"}, "score": 0.9},
        "topics": [{"display_name": "Robots", "field": {"display_name": "Computer Science"}}, {"field": None}],
    } | fields


def open_answer(*works: object) -> bytes:
    return as_json({"meta": {"count": len(works), "page": 1, "per_page": 100}, "results": list(works)})


def as_json(value: object) -> bytes:
    return orjson.dumps(value)
