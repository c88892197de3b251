"""Categories that readers can choose, with the names that arXiv gives them."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

NAMES: Final[dict[str, str]] = {
    "astro-ph.CO": "Cosmology",
    "astro-ph.EP": "Planets",
    "astro-ph.GA": "Galaxies",
    "astro-ph.HE": "High-energy astrophysics",
    "astro-ph.IM": "Instruments for astrophysics",
    "astro-ph.SR": "Stars and the sun",
    "cond-mat.mtrl-sci": "Materials science",
    "cond-mat.quant-gas": "Quantum gases",
    "cond-mat.soft": "Soft matter",
    "cond-mat.stat-mech": "Statistical mechanics",
    "cond-mat.str-el": "Correlated electrons",
    "cond-mat.supr-con": "Superconductivity",
    "cs.AI": "Artificial intelligence",
    "cs.AR": "Hardware architecture",
    "cs.CC": "Computational complexity",
    "cs.CE": "Computational engineering",
    "cs.CL": "Computation and language",
    "cs.CR": "Cryptography and security",
    "cs.CV": "Computer vision",
    "cs.CY": "Computers and society",
    "cs.DB": "Databases",
    "cs.DC": "Distributed computing",
    "cs.DL": "Digital libraries",
    "cs.DS": "Data structures and algorithms",
    "cs.GR": "Graphics",
    "cs.GT": "Game theory",
    "cs.HC": "Human-computer interaction",
    "cs.IR": "Information retrieval",
    "cs.IT": "Information theory",
    "cs.LG": "Machine learning",
    "cs.LO": "Logic in computer science",
    "cs.MA": "Multiagent systems",
    "cs.MM": "Multimedia",
    "cs.NE": "Neural and evolutionary computing",
    "cs.NI": "Networks",
    "cs.OS": "Operating systems",
    "cs.PF": "Performance",
    "cs.PL": "Programming languages",
    "cs.RO": "Robotics",
    "cs.SD": "Sound",
    "cs.SE": "Software engineering",
    "cs.SI": "Social networks",
    "econ.EM": "Econometrics",
    "eess.AS": "Audio and speech",
    "eess.IV": "Image and video processing",
    "eess.SP": "Signal processing",
    "eess.SY": "Systems and control",
    "gr-qc": "General relativity",
    "hep-ex": "High-energy physics, experiment",
    "hep-ph": "High-energy physics, phenomenology",
    "hep-th": "High-energy physics, theory",
    "math.AG": "Algebraic geometry",
    "math.AP": "Analysis of PDEs",
    "math.CO": "Combinatorics",
    "math.NA": "Numerical analysis",
    "math.NT": "Number theory",
    "math.OC": "Optimization and control",
    "math.PR": "Probability",
    "math.ST": "Statistics theory",
    "physics.optics": "Optics",
    "q-bio.NC": "Neurons and cognition",
    "q-bio.QM": "Quantitative methods in biology",
    "quant-ph": "Quantum physics",
    "stat.AP": "Applied statistics",
    "stat.CO": "Statistical computing",
    "stat.ME": "Statistical methodology",
    "stat.ML": "Machine learning in statistics",
}


@dataclass(frozen=True, slots=True)
class Subject:
    """One category to tick."""

    category: str
    name: str  # empty where arXiv's name is not known here
    is_chosen: bool


def make_subjects(categories: Sequence[str], *, chosen: Collection[str]) -> list[Subject]:
    """Return categories to tick, in this order; those that are chosen are among them in any case, first."""
    wanted = set(chosen)
    first = [category for category in chosen if category not in set(categories)]
    return [Subject(one, NAMES.get(one, ""), one in wanted) for one in dict.fromkeys([*first, *categories])]
