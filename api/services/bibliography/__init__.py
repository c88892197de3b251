"""Bibliographies as other programs read and write them: text in, references out, and back; no database, no clock."""

from api.services.bibliography.bibtex import bibtex_key, read_bibtex, write_bibtex
from api.services.bibliography.csl import (
    is_own_json,
    read_csl,
    read_json,
    reference_as_json,
    reference_of_json,
    write_csl,
    write_json,
)
from api.services.bibliography.encoding import decode_text
from api.services.bibliography.formats import FORMATS, Format, detect_format, read_text
from api.services.bibliography.ids import find_ids, read_ids
from api.services.bibliography.reference import (
    BadReference,
    ReadReferences,
    Reference,
    RejectedReference,
    find_arxiv_id,
    tidy_note,
    tidy_reference,
    tidy_tags,
)
from api.services.bibliography.ris import read_ris, write_ris

__all__ = [
    "FORMATS",
    "BadReference",
    "Format",
    "ReadReferences",
    "Reference",
    "RejectedReference",
    "bibtex_key",
    "decode_text",
    "detect_format",
    "find_arxiv_id",
    "find_ids",
    "is_own_json",
    "read_bibtex",
    "read_csl",
    "read_ids",
    "read_json",
    "read_ris",
    "read_text",
    "reference_as_json",
    "reference_of_json",
    "tidy_note",
    "tidy_reference",
    "tidy_tags",
    "write_bibtex",
    "write_csl",
    "write_json",
    "write_ris",
]
