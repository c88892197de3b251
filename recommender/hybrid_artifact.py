"""A hybrid on disk."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from recommender.als import AlsFactors
from recommender.artifact import MANIFEST, ArtifactError, Json, load_arrays, save_arrays
from recommender.calibration import Calibration
from recommender.config import HybridConfig
from recommender.content import ContentMap
from recommender.grown import Grown
from recommender.hybrid_fit import Parts
from recommender.items import ItemWeights
from recommender.neighbours import Neighbours
from recommender.sparse import csr_of
from recommender.summary import Summary
from recommender.text import Arrays, TfidfEncoder
from recommender.text_outline import Outline
from recommender.vocabulary import Vocabulary

if TYPE_CHECKING:
    from recommender.hybrid import Hybrid


def save(model: "Hybrid", directory: Path) -> None:
    """Write the arrays and the manifest of a model."""
    features = model.features.whole()
    arrays: Arrays = {
        "paper_ids": model.papers.in_row_order,
        "paper_by_id": model.papers.by_id,
        "warm_rows": model.warm_rows,
        "item_factors": model.factors.item_factors,
        "gram": model.factors.gram,
        "features_data": features.data,
        "features_indices": features.indices.astype(np.int32, copy=False),
        "features_indptr": features.indptr.astype(np.int32, copy=False),
        "coords": model.coords.whole(),
        "text_factors": model.text_factors.whole(),
        "popularity": model.popularity,
        "published_at": model.published_at,
    }
    if model.calibration is not None:
        arrays["calibration_warm"] = np.array(model.calibration.warm)
        arrays["calibration_cold"] = np.array(model.calibration.cold)
    if model.shortlist is not None:
        arrays |= model.shortlist.to_arrays("shortlist")
    for part in (model.outline, model.encoder, model.items, model.neighbours, model.content):
        if part is not None:
            arrays |= part.to_arrays()
    config: dict[str, Json] = {**model.config.to_json()}
    facts: dict[str, Json] = {
        "kind": "hybrid",
        "config": config,
        "dataset_fingerprint": model.fingerprint,
        "weight_unit": model.weight_unit,
        "notes": list(model.notes),
        "terms": int(model.features.shape[1]),
    }
    save_arrays(directory, arrays, facts=facts)


def load_parts(directory: Path, *, mmap: bool, verify: bool) -> Parts:
    """The fields of the model that was saved here."""
    arrays, manifest = load_arrays(directory, mmap=mmap, verify=verify)
    try:
        return _parts(arrays, manifest)
    except (KeyError, TypeError, ValueError) as error:
        raise ArtifactError(directory / MANIFEST, f"the manifest does not describe a hybrid ({error})") from error


def _parts(arrays: Arrays, manifest: dict[str, Json]) -> Parts:
    stored, notes = manifest["config"], manifest["notes"]
    unit, terms = manifest["weight_unit"], manifest["terms"]
    if not (isinstance(stored, dict) and isinstance(notes, list)):
        raise TypeError("config or notes")
    if not (isinstance(unit, float) and isinstance(terms, int)):
        raise TypeError("weight_unit or terms")
    config = HybridConfig.from_json(stored)
    papers = Vocabulary(arrays["paper_ids"], arrays["paper_by_id"].view(np.intp))
    shape = (len(papers), terms)
    indices, indptr = arrays["features_indices"].view(np.int32), arrays["features_indptr"].view(np.int32)
    return Parts(
        config=config,
        papers=papers,
        warm_rows=arrays["warm_rows"].view(np.int32),
        factors=AlsFactors(
            arrays["item_factors"].view(np.float32), arrays["gram"].view(np.float32), config.l2, config.alpha
        ),
        items=ItemWeights.from_arrays(arrays) if "items_weights" in arrays else None,
        neighbours=Neighbours.from_arrays(arrays) if "neighbours_rarity" in arrays else None,
        encoder=TfidfEncoder.from_arrays(arrays) if "text_idf" in arrays else None,
        content=ContentMap.from_arrays(arrays) if "content_turn" in arrays else None,
        features=Grown.of(csr_of(arrays["features_data"], indices, indptr, shape)),
        coords=Grown.of(arrays["coords"].view(np.float32)),
        text_factors=Grown.of(arrays["text_factors"].view(np.float32)),
        shortlist=Summary.from_arrays("shortlist", arrays) if "shortlist_low" in arrays else None,
        outline=Outline.from_arrays(arrays) if "outline_low" in arrays else None,
        popularity=arrays["popularity"].view(np.float32),
        published_at=arrays["published_at"].view(np.float64),
        weight_unit=unit,
        calibration=_calibration(arrays),
        fingerprint=str(manifest["dataset_fingerprint"]),
        notes=tuple(str(note) for note in notes),
    )


def _calibration(arrays: Arrays) -> Calibration | None:
    if "calibration_warm" not in arrays:
        return None
    return Calibration(tuple(arrays["calibration_warm"].tolist()), tuple(arrays["calibration_cold"].tolist()))
