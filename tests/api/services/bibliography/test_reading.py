"""What other programs write is understood, and what is broken is told entry by entry."""

import time

import pytest

from api.services.bibliography import (
    FORMATS,
    Reference,
    decode_text,
    detect_format,
    read_bibtex,
    read_csl,
    read_ids,
    read_json,
    read_ris,
    read_text,
)
from api.services.bibliography.reference import MOST_REFERENCES, MOST_REJECTED, find_arxiv_id, tidy_tags

SIZE = 250_000  # characters of a hostile file: a sixtieth of what is taken
SECONDS = 5.0  # of the processor, on a busy machine


def only(found: tuple[list[Reference], object]) -> Reference:
    assert found[1] == []
    [one] = found[0]
    return one


def test_bibtex_of_arxiv() -> None:
    text = """@misc{lovelace2024notes,
      title={Notes on the {A}nalytical Engine: $O(n^2)$ \\& more},
      author={Ada Lovelace and Charles {van Babbage} and Mar{\\'\\i}a Nu{\\~n}ez and {The Loom, Inc.}},
      year={2024}, eprint={2401.01234v3}, archivePrefix={arXiv}, primaryClass={cs.LG},
      url={https://arxiv.org/abs/2401.01234}, }"""
    one = only(read_bibtex(text))
    assert one.title == "Notes on the Analytical Engine: $O(n^2)$ & more"
    assert one.authors == ("Ada Lovelace", "Charles van Babbage", "María Nuñez", "The Loom, Inc.")
    assert (one.paper_id, one.published, one.category) == ("2401.01234", "2024", "cs.LG")


def test_bibtex_of_zotero_and_mendeley() -> None:
    text = """@article{a, title = {{Looms}}, author = {Lovelace, Ada and Babbage, Jr., Charles},
      month = mar, year = 1843,
      journal = "Scientific " # "Memoirs", doi = {https://doi.org/10.1000/XYZ}, keywords = {engines,looms; weaving},
      annote = {A note}, abstract = {An abstract.}, file = {:home/ada/a.pdf:application/pdf} }"""
    one = only(read_bibtex(text))
    assert (one.title, one.authors) == ("Looms", ("Ada Lovelace", "Charles Babbage Jr."))
    assert (one.published, one.venue, one.doi) == ("1843-03", "Scientific Memoirs", "10.1000/xyz")
    assert (one.tags, one.note, one.abstract) == (("engines", "looms", "weaving"), "A note", "An abstract.")


def test_bibtex_with_strings_comments_and_pieces() -> None:
    text = """% a remark
    @string{jml = "Journal of Looms"}
    @comment{nothing}
    @preamble{"x"}
    @article{b, title = "Twice", journal = jml # " " # 3}
    """
    found, rejected = read_bibtex(text)
    assert ([one.venue for one in found], rejected) == (["Journal of Looms 3"], [])


def test_two_entries_of_one_key_are_two() -> None:
    found, rejected = read_bibtex("@misc{a, title={One}}\n@misc{a, title={Two}}")
    assert ([one.title for one in found], rejected) == (["One", "Two"], [])


def test_a_broken_entry_costs_no_other() -> None:
    text = "@misc{a, title={One}}\n\n@misc{b, title={Two\n\n@misc{c, title={Three}}\n@misc{d, year=2024}\n"
    found, rejected = read_bibtex(text)
    assert {"One", "Three"} <= {one.title for one in found}
    assert [one.line for one in rejected] == [3, 6]
    assert "whole entry" in rejected[0].reason
    assert rejected[1].reason == "there is no title, arXiv id or DOI in it"


@pytest.mark.parametrize(
    ("said", "paper_id"),
    [
        ("journal = {arXiv preprint arXiv:2401.01234}", "2401.01234"),
        ("journal = {CoRR}, volume = {abs/2401.01234}, url = {https://arxiv.org/abs/2401.01234}", "2401.01234"),
        ("eprint = {hep-th/9901001}", "hep-th/9901001"),
        ("doi = {10.48550/arXiv.2401.01234}", "2401.01234"),
        ("note = {arXiv:2401.01234 [cs]}", "2401.01234"),
        ("howpublished = {\\url{https://arxiv.org/pdf/2401.01234v2.pdf}}", "2401.01234"),
        ("eprint = {12345}, archiveprefix = {pubmed}", None),
        ("note = {see 2401.01234 in the list}", None),
    ],
)
def test_an_arxiv_id_is_found_wherever_programs_put_it(said: str, paper_id: str | None) -> None:
    assert only(read_bibtex(f"@article{{a, title = {{T}}, {said}}}")).paper_id == paper_id


def test_ris_of_other_programs() -> None:
    text = (
        "TY  - JOUR\nAU  - Lovelace, Ada\nA1  - Babbage, Charles\nTI  - Looms: a\n  long title\nPY  - 1843/03/05/\n"
        "JO  - Memoirs\nDO  - 10.1000/xyz\nKW  - engines\nKW  - looms\nN1  - one\nN1  - two\nAB  - About.\n"
        "UR  - https://example.org/a;b\nER  - \n\n\nTY - GEN\nT1  - Second\nM1  - arXiv:2401.01234\nER  -\n"
    )
    found, rejected = read_ris(text)
    assert rejected == []
    first, second = found
    assert first.authors == ("Ada Lovelace", "Charles Babbage")
    assert (first.published, first.venue, first.doi) == ("1843-03-05", "Memoirs", "10.1000/xyz")
    assert (first.tags, first.note, first.url) == (("engines", "looms"), "one\n\ntwo", "https://example.org/a;b")
    assert (second.title, second.paper_id) == ("Second", "2401.01234")


def test_ris_that_is_broken_is_told_with_its_lines() -> None:
    found, rejected = read_ris("hello\nTY  - JOUR\nTI  - One\nTY  - JOUR\nTI  - Two\nER  - \nTY  - JOUR\nER  - \n")
    assert [one.title for one in found] == ["Two"]
    assert [(one.line, one.reason.split(":")[0]) for one in rejected] == [
        (1, "this stands outside of all records, which begin with a line TY"),
        (2, "this record has no end"),
        (7, "there is no title, arXiv id or DOI in it"),
    ]


def test_csl_of_zotero() -> None:
    text = """[{"id": "a", "type": "article", "title": "Looms", "author": [{"family": "Lovelace", "given": "Ada"},
      {"literal": "The Engine Team"}, {"family": "Gogh", "non-dropping-particle": "van", "given": "V."}],
      "issued": {"date-parts": [["1843", 3, 5]]}, "DOI": "10.1000/XYZ", "publisher": "arXiv",
      "number": "arXiv:2401.01234",
      "container-title": "Memoirs", "keyword": "engines, looms"}]"""
    one = only(read_csl(text))
    assert one.authors == ("Ada Lovelace", "The Engine Team", "V. van Gogh")
    assert (one.published, one.doi, one.paper_id) == ("1843-03-05", "10.1000/xyz", "2401.01234")
    assert one.tags == ("engines", "looms")


@pytest.mark.parametrize("text", ['{"items": [{"title": "A"}]}', '{"title": "A"}', '[{"title": "A"}]'])
def test_csl_comes_as_a_list_or_alone(text: str) -> None:
    assert only(read_csl(text)).title == "A"


@pytest.mark.parametrize(
    ("text", "line"), [("[{]", 1), ('[\n\n{"title": }]', 3), ("", 1), ("[" * 100_000, 1), ('{"items": 5}', 1)]
)
def test_json_that_is_none_says_where(text: str, line: int) -> None:
    found, [rejected] = read_csl(text)
    assert (found, rejected.line) == ([], line)


def test_a_file_of_ours_of_a_later_version_is_refused_as_a_whole() -> None:
    found, [rejected] = read_json('{"format": "paperfeed-library", "version": 2, "papers": [{"title": "A"}]}')
    assert found == []
    assert "version 2" in rejected.reason


def test_ids_are_read_however_they_are_pasted() -> None:
    text = """# my list
    2401.01234, arXiv:2402.00001v2; <https://arxiv.org/pdf/2403.00001.pdf>
    * hep-th/9901001
    https://huggingface.co/papers/2404.00001 and doi: 10.1000/xyz
    rubbish"""
    found, rejected = read_ids(text)
    assert [one.paper_id for one in found if one.paper_id] == [
        "2401.01234",
        "2402.00001",
        "2403.00001",
        "hep-th/9901001",
        "2404.00001",
    ]
    assert [one.doi for one in found if one.doi] == ["10.1000/xyz"]
    assert [(one.line, one.text) for one in rejected] == [(5, "rubbish")]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("@article{a, title={A}}", "bib"),
        ("% remark\n\n@misc(a, title={A})", "bib"),
        ("\nTY  - JOUR\n", "ris"),
        ('[{"title": "A"}]', "csl.json"),
        ('{"format": "paperfeed-library", "version": 1, "papers": []}', "json"),
        ("2401.01234\n", "ids"),
        ("mail me @home", "ids"),
    ],
)
def test_a_format_is_known_by_its_beginning(text: str, name: str) -> None:
    assert detect_format(text) == name


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252", "latin-1"]
)
def test_a_file_is_decoded_whatever_program_wrote_it(encoding: str) -> None:
    assert decode_text("@misc{a,\r\ntitle={Größe}}\r".encode(encoding)) == "@misc{a,\ntitle={Größe}}\n"


def test_bytes_that_are_no_text_are_decoded_without_complaint() -> None:
    for data in (b"", b"\xff", b"\xff\xfe", bytes(range(256)) * 40, b"\x00" * 100):
        assert "\0" not in decode_text(data)


def test_tags_are_each_one_whatever_their_case_and_what_is_too_long_is_told() -> None:
    tags, left_out = tidy_tags(["Engines, engines", "to  read;ENGINES", "x" * 61, "\x00"])
    assert tags == ("Engines", "to read")
    assert [one[:8] for one in left_out] == ["the tag "]


def test_too_many_entries_are_read_as_far_as_an_import_goes_and_the_rest_is_told() -> None:
    found, rejected = read_ids("\n".join(f"{2401 + number // 90_000}.{number % 90_000:05}" for number in range(20_010)))
    assert len(found) == MOST_REFERENCES
    assert "20,000" in rejected[-1].reason


def test_a_file_of_which_nothing_can_be_read_is_told_in_bounded_space() -> None:
    for name, text in (("ris", "TY  - JOUR\nER  - \n" * 3_000), ("csl.json", f"[{','.join(['5'] * 3_000)}]")):
        found, rejected = read_text(text, name=name)
        assert found == []
        assert len(rejected) == MOST_REJECTED
        assert "2,001 more" in rejected[-1].reason


def test_a_date_of_no_calendar_is_as_much_of_one_as_it_can_be() -> None:
    dates = ["2024-13-01", "in press", "March 2024", "2024-02-31x", "20240305", ""]
    assert [only(read_csl(f'[{{"title": "A", "issued": "{one}"}}]')).published for one in dates][:3] == [
        "2024",
        "",
        "2024",
    ]


def test_an_id_within_another_number_is_none() -> None:
    assert find_arxiv_id("arXiv:2401.012345") is None
    assert find_arxiv_id("https://example.org/2401.01234") is None


def test_a_version_of_our_own_format_that_is_nested_too_deep_is_told() -> None:
    found, rejected = read_json('{"format": "paperfeed-library", "version": ' + "[" * 1_000 + "]" * 1_000 + "}")
    assert found == []
    assert "version without a number" in rejected[0].reason


def test_of_a_thousand_tags_the_first_ones_are_kept_and_the_others_counted() -> None:
    tags = ", ".join(f"t{number}" for number in range(1_000))
    one = only(read_csl(f'[{{"title": "A", "keyword": "{"x" * 61}, {tags}"}}]'))
    assert one.tags == tuple(f"t{number}" for number in range(50))
    assert one.remarks[-1] == "931 more of its tags were left out"
    assert len(one.remarks) == 21


def repeated(text: str) -> str:
    return (text * (SIZE // len(text) + 1))[:SIZE]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("bib", repeated("@")),
        ("bib", repeated("@a{")),
        ("bib", repeated("@article{a, title={x \n")),
        ("bib", "@misc{a, title={x}}\n" + repeated("1\n")),
        ("bib", "@misc{a, title={x}}\n" + repeated(" ") + "x"),
        ("bib", "@misc{a title={x}}\n" + repeated("{")),
        ("bib", "@article{a, title={" + repeated("{")),
        ("bib", "@article{a, title={" + repeated("\\'") + "}}"),
        ("bib", "@article{a, title={x}, author={" + repeated("A and ") + "}}"),
        ("bib", "@article{a, title={x}, abstract={" + repeated("$a{") + "}}"),
        ("bib", "@article{a, title={x}, author={A" + repeated(" ") + "B}}"),
        ("bib", "@article{a, title={x}, author={A" + repeated("\n") + ", B}}"),
        ("bib", "@article{a, title={x}, paperfeed={" + repeated("arxiv:") + "}}"),
        (
            "bib",
            "".join(f"@string{{s{one} = s{one - 1} # s{one - 1}}}\n" for one in range(5_000)) + "@misc{a, title=s99}",
        ),
        ("ris", repeated("TY  - JOUR\n")),
        ("ris", "TY  - JOUR\nTI  - a\n" + repeated("x\n")),
        ("csl.json", repeated('{"a":')),
        ("csl.json", "[" + repeated("1") + "]"),
        ("csl.json", '[{"title":"x","note":"' + repeated("arxiv ") + '"}]'),
        ("ids", repeated("arxiv:")),
        ("ids", repeated("x ")),
    ],
    ids=lambda value: value[:14] if isinstance(value, str) else None,
)
def test_a_hostile_file_is_answered_in_bounded_time(name: str, text: str) -> None:
    started = time.process_time()
    found, rejected = FORMATS[name].read(text)
    assert time.process_time() - started < SECONDS
    assert found or rejected
