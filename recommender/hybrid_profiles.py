"""Profiles of readers as rows of a matrix over the papers of a model."""

from collections.abc import Sequence

import numpy as np

from recommender.dataset import Profile
from recommender.domain import Csr, Ids
from recommender.sparse import from_lists
from recommender.vocabulary import UNKNOWN_ROW, Vocabulary


def liked_papers(papers: Vocabulary, profiles: Sequence[Profile]) -> Csr:
    """(readers, papers) what each likes, with its weight."""
    rows = [papers.rows(profile.paper_ids) for profile in profiles]
    known = [of_reader != UNKNOWN_ROW for of_reader in rows]
    columns = [of_reader[mask] for of_reader, mask in zip(rows, known, strict=True)]
    weights = [np.asarray(profile.weights, np.float32)[mask] for profile, mask in zip(profiles, known, strict=True)]
    return from_lists(columns, weights, len(papers))


def own_papers(papers: Vocabulary, profiles: Sequence[Profile], exclude: Sequence[Ids] | None) -> Csr:
    """(readers, papers) with an entry for each paper that is not to be ranked: liked, disliked or excluded."""
    named: list[list[Ids]] = [[profile.paper_ids, profile.disliked_paper_ids] for profile in profiles]
    for ids, more in zip(named, exclude or (), strict=exclude is not None):
        ids.append(more)
    rows = [np.unique(np.concatenate([papers.rows(part) for part in parts])) for parts in named]
    return from_lists([row[row != UNKNOWN_ROW] for row in rows], None, len(papers))
