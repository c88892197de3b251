"""What stands beside ids and between entries is an id or told, never dropped."""

from api.services.bibliography import read_bibtex, read_ids, read_text
from api.services.bibliography.reference import MOST_REFERENCES, MOST_REJECTED


def test_prose_in_a_list_of_ids_is_told_once_a_line_and_costs_no_id() -> None:
    text = "two bits of prose\n2401.01234 Notes on 3 looms\n\nand arXiv:\nanother bit, 2401.012, of it"
    found, rejected = read_ids(text)
    assert [(one.paper_id, one.line) for one in found] == [("2401.01234", 2)]
    assert [(one.line, one.text) for one in rejected] == [
        (1, "two bits of prose"),
        (2, "Notes on 3 looms"),
        (5, "another bit, 2401.012, of it"),
    ]


def test_words_without_end_are_looked_through_for_ids_up_to_a_limit_that_is_told() -> None:
    for text in ("x " * 210_000 + "2401.01234", "x\n" * 210_000 + "@misc{a, title={One}}\n2401.01234"):
        found, rejected = read_text(text, name="bib" if "@" in text else "ids")
        assert [one.title for one in found] == ["One"] * text.count("@")
        assert "200,000 words" in rejected[-1].reason
        assert len(rejected) <= MOST_REJECTED + 1


def test_ids_between_entries_are_ids_and_other_words_there_are_told_once_a_line() -> None:
    text = """2401.00001
2999.12345 and some words
% a remark, # another
@article{a, title={One}}, }

please read doi:10.1000/xyz
  This one, too!
@comment{x} @string{s="t"}
@preamble{"x"}
@comment jabref
@misc{b, title={Two}}"""
    found, rejected = read_text(text)
    assert [(one.line, one.paper_id or one.doi or one.title) for one in found] == [
        (1, "2401.00001"),
        (2, "2999.12345"),
        (4, "One"),
        (6, "10.1000/xyz"),
        (11, "Two"),
    ]
    assert [(one.line, one.text) for one in rejected] == [
        (2, "some words"),
        (6, "please read"),
        (7, "This one, too!"),
    ]
    assert all("outside of all entries" in one.reason for one in rejected)


def test_the_rest_of_a_broken_entry_is_told_with_it_and_what_follows_is_read() -> None:
    text = "@article{a title={x},\n eprint={2401.00001}}\n2401.00002\nloose\n@misc{b, title={Two}}"
    found, rejected = read_bibtex(text)
    assert [one.paper_id or one.title for one in found] == ["2401.00002", "Two"]
    assert [(one.line, one.reason.partition(",")[0].partition(":")[0]) for one in rejected] == [
        (1, "this is no whole entry"),
        (4, "this stands outside of all entries"),
    ]


def test_ids_and_entries_together_are_as_many_as_an_import_takes() -> None:
    entries = "@misc{a, title={One}}\n" * 3
    ids = "\n".join(f"2401.{number:05}" for number in range(MOST_REFERENCES))
    found, rejected = read_bibtex(f"{ids}\n{entries}")
    assert len(found) == MOST_REFERENCES
    assert [(one.line, "20,000" in one.reason) for one in rejected] == [(MOST_REFERENCES + 1, True)]


def test_a_reason_has_no_stop_of_its_own() -> None:
    _, [rejected] = read_bibtex("@misc{a, title={One")
    assert rejected.reason == "this is no whole entry: Unexpectedly reached end of file"
