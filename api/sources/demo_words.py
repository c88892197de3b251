"""The words that demonstration papers are made of: topics with three themes each, and phrases for any paper."""

from dataclasses import dataclass
from typing import Final

THEMES_PER_TOPIC: Final = 3


@dataclass(frozen=True, slots=True)
class Topic:
    """A field of made-up research; each theme is a group of words that occur together."""

    slug: str
    name: str
    category: str
    also: str  # a second category of some of its papers
    themes: tuple[tuple[str, ...], ...]


# slug; name; category; second category, then a line of words for each theme.
_TOPICS: Final = """
machine-translation; machine translation; cs.CL; cs.LG
    low-resource languages, back-translation, parallel corpora, subword vocabularies
    document context, pronoun resolution, discourse cohesion, sentence alignment
    quality estimation, post-editing, terminology constraints, fluency scores
dialogue; dialogue systems; cs.CL; cs.HC
    turn taking, persona consistency, small talk, user satisfaction
    slot filling, dialogue state, booking assistants, intent detection
    clarifying questions, grounding acts, misunderstandings, repair strategies
summarisation; text summarisation; cs.CL; cs.IR
    factual consistency, hallucinated entities, source attribution, faithfulness metrics
    long documents, sliding windows, salient passages, book chapters
    meeting transcripts, action items, speaker roles, query focus
question-answering; question answering; cs.CL; cs.IR
    passage retrieval, dense encoders, hard negatives, evidence ranking
    multi-hop reasoning, bridge entities, question decomposition, reasoning chains
    unanswerable questions, answer calibration, abstention, ambiguous queries
code-models; code generation; cs.SE; cs.CL
    unit tests, program repair, bug localisation, patch ranking
    type inference, abstract syntax trees, static analysis, variable naming
    repository context, code review, commit messages, merge conflicts
reasoning; mathematical reasoning; cs.AI; cs.CL
    chain of thought, process rewards, step verification, self-consistency
    theorem proving, tactic prediction, proof search, formal libraries
    word problems, arithmetic errors, symbolic solvers, numeric grounding
agents; language agents; cs.AI; cs.CL
    tool use, function calling, application interfaces, error recovery
    web navigation, page layouts, form filling, browser actions
    long-term memory, reflection, skill libraries, task decomposition
alignment; preference alignment; cs.LG; cs.AI
    reward models, human preferences, pairwise comparisons, reward hacking
    refusals, safety policies, jailbreak prompts, red teaming
    constitutional rules, critique models, value pluralism, oversight
quantisation; model compression; cs.LG; cs.AR
    weight quantisation, outlier channels, integer kernels, calibration sets
    structured pruning, attention heads, layer dropping, sparsity patterns
    knowledge distillation, teacher ensembles, student capacity, logit matching
serving; inference serving; cs.DC; cs.LG
    key-value caches, paged memory, prefix sharing, cache eviction
    speculative decoding, draft models, token acceptance, verification batches
    request scheduling, tail latency, continuous batching, preemption
distributed-training; distributed training; cs.DC; cs.LG
    pipeline stages, tensor sharding, activation checkpoints, bubble time
    gradient compression, gossip averaging, communication overlap, slow workers
    elastic clusters, failure recovery, checkpoint storage, spot machines
optimisers; optimisation methods; math.OC; cs.LG
    adaptive step sizes, second moments, learning-rate warmup, loss spikes
    sharpness, flat minima, weight averaging, generalisation gaps
    saddle points, stochastic noise, convergence rates, variance reduction
diffusion-images; image synthesis; cs.CV; cs.LG
    noise schedules, sampling steps, score matching, consistency training
    text prompts, attribute binding, spatial layout, prompt alignment
    image editing, inversion, local masks, style transfer
video; video understanding; cs.CV; cs.MM
    action recognition, temporal pooling, motion features, frame sampling
    video captions, moment retrieval, temporal grounding, egocentric footage
    frame interpolation, camera trajectories, flicker, temporal consistency
three-d; scene reconstruction; cs.CV; cs.GR
    radiance fields, view synthesis, ray sampling, sparse views
    point clouds, surface meshes, normal estimation, signed distances
    camera poses, bundle adjustment, loop closure, visual odometry
detection; object detection; cs.CV; cs.RO
    anchor boxes, region proposals, small objects, box regression
    open vocabulary, novel categories, image-text pairs, pseudo labels
    crowded scenes, occlusion, tracking identities, pedestrian datasets
segmentation; image segmentation; cs.CV; eess.IV
    panoptic masks, boundary refinement, pixel embeddings, mask queries
    weak supervision, scribbles, image-level tags, click prompts
    satellite tiles, land cover, building footprints, cloud removal
medical-imaging; medical imaging; eess.IV; cs.CV
    tumour contours, magnetic resonance, scanner shifts, radiologist agreement
    chest radiographs, report generation, rare findings, label noise
    retinal scans, lesion grading, screening cohorts, image quality
speech-recognition; speech recognition; eess.AS; cs.CL
    streaming encoders, word error rate, endpoint detection, acoustic frames
    accented speech, dialect data, pronunciation lexicons, speaker adaptation
    noisy rooms, microphone arrays, source separation, reverberation
speech-synthesis; speech synthesis; cs.SD; eess.AS
    neural vocoders, waveform phases, mel spectrograms, sampling rates
    prosody, emotional speech, pitch contours, speaking style
    voice cloning, speaker embeddings, few-shot voices, voice watermarks
music; music generation; cs.SD; cs.MM
    symbolic scores, chord progressions, melody continuation, bar structure
    beat tracking, tempo curves, onset detection, drum patterns
    instrument timbre, audio codecs, mixing, stem separation
robot-manipulation; robot manipulation; cs.RO; cs.LG
    grasp planning, contact forces, tactile sensing, deformable objects
    imitation learning, teleoperation, demonstration data, action chunks
    bimanual tasks, tool handling, assembly, insertion
locomotion; legged locomotion; cs.RO; eess.SY
    quadruped gaits, rough terrain, foot placement, stair climbing
    sim-to-real transfer, domain randomisation, actuator models, friction
    whole-body control, balance recovery, humanoid motion, fall prediction
driving; autonomous driving; cs.RO; cs.CV
    trajectory forecasting, lane graphs, agent interaction, intent prediction
    bird's-eye view, sensor fusion, range sensors, occupancy grids
    closed-loop simulation, rare scenarios, safety cases, planner tests
reinforcement; reinforcement learning; cs.LG; cs.AI
    offline datasets, value overestimation, behaviour constraints, conservative critics
    exploration bonuses, sparse rewards, curiosity, count estimates
    world models, latent imagination, planning horizons, model errors
bandits; bandits and online learning; stat.ML; cs.LG
    regret bounds, confidence sets, arm elimination, lower bounds
    contextual policies, off-policy evaluation, propensity scores, logged feedback
    delayed rewards, non-stationary arms, restarts, drift detection
graph-learning; learning on graphs; cs.LG; cs.SI
    message passing, over-smoothing, neighbour sampling, spectral filters
    link prediction, temporal graphs, edge streams, node memory
    heterophily, community structure, label propagation, node classification
recommenders; recommender systems; cs.IR; cs.LG
    implicit feedback, matrix factorisation, popularity bias, cold start
    session data, next-item prediction, user sequences, attention over history
    slate exposure, diversity, creator fairness, filter bubbles
privacy; private learning; cs.CR; cs.LG
    differential privacy, gradient clipping, noise budgets, privacy accounting
    membership inference, training data extraction, canaries, memorisation
    federated clients, secure aggregation, client dropout, personalised models
security; software security; cs.CR; cs.SE
    fuzzing, coverage feedback, crash triage, seed scheduling
    malware families, binary similarity, packed executables, call graphs
    phishing pages, domain names, abuse reports, credential theft
protein-design; protein design; q-bio.BM; cs.LG
    backbone generation, inverse folding, binding interfaces, designed enzymes
    protein language models, mutation effects, evolutionary profiles, fitness landscapes
    structure prediction, side chains, multiple alignments, disordered regions
molecules; molecular modelling; physics.chem-ph; cs.LG
    force fields, equivariant networks, energy surfaces, molecular dynamics
    retrosynthesis, reaction templates, route planning, yield prediction
    ligand docking, binding affinity, pocket geometry, virtual screening
genomics; computational genomics; q-bio.GN; stat.AP
    single cells, expression counts, batch effects, cell types
    variant calling, long reads, genome assembly, structural variants
    regulatory sequences, chromatin, promoters, sequence motifs
climate; weather and climate models; physics.ao-ph; cs.LG
    global forecasts, forecast ensembles, pressure fields, lead times
    downscaling, precipitation extremes, station records, bias correction
    sea ice, ocean heat, carbon fluxes, emission scenarios
astronomy; astronomical surveys; astro-ph.IM; astro-ph.GA
    galaxy shapes, weak lensing, photometric redshifts, survey masks
    exoplanet transits, stellar activity, light curves, radial velocities
    radio transients, pulsar timing, interference removal, dish arrays
quantum; quantum computing; quant-ph; cs.ET
    surface codes, syndrome decoding, logical qubits, error thresholds
    variational circuits, barren plateaus, ansatz design, gradient estimates
    noise tomography, gate calibration, crosstalk, randomised benchmarking
fluids; fluid dynamics; physics.flu-dyn; math.NA
    turbulent channels, wall models, eddy viscosity, boundary layers
    neural operators, mesh refinement, surrogate solvers, spectral methods
    bubbles, multiphase flow, surface tension, droplet breakup
causality; causal inference; stat.ME; stat.ML
    treatment effects, confounding, doubly robust estimators, propensity overlap
    instrumental variables, weak instruments, natural experiments, exclusion tests
    causal discovery, conditional independence, intervention targets, latent confounders
"""

ADJECTIVES: Final = ("robust", "efficient", "scalable", "simple", "adaptive", "unified", "lightweight", "principled")
METHODS: Final = (
    "a two-stage estimator", "a contrastive objective", "a hierarchical model", "a plug-in module",
    "a retrieval step", "a curriculum", "an alternating scheme", "a learned prior", "a memory bank",
    "a closed-form update",
)  # fmt: skip
COINED: Final = (
    "Aster", "Birch", "Cinder", "Dovetail", "Ember", "Fathom", "Gantry", "Harbor", "Inlet", "Juniper", "Keel",
    "Lattice", "Meridian", "Nimbus", "Orchard", "Pylon", "Quill", "Rivet", "Sextant", "Thicket", "Umber", "Vesper",
    "Willow", "Zephyr",
)  # fmt: skip
TITLES: Final = (
    "{Coined}: {adjective} {topic} with {a}",
    "{A} for {adjective} {topic}",
    "On the role of {a} in {b}",
    "Towards {adjective} {topic} without {a}",
    "When does {a} help {b}?",
    "Rethinking {a} for {topic}",
    "A benchmark of {a} and {b} in {topic}",
    "{Coined}: from {a} to {b}",
)
SENTENCES: Final = (
    "Progress in {topic} depends on {a}, yet {b} is rarely studied on its own.",
    "We revisit {a} and show that {b} explains most of the observed difference.",
    "We propose {coined}, which couples {a} and {b} through {method}.",
    "Our approach treats {a} with {method} and needs no change to {b}.",
    "Experiments on {c} show gains of {gain} percent at equal cost.",
    "An ablation finds that {a} matters more than {c}, most of all under {b}.",
    "We release annotations for {c} and a protocol that measures {a}.",
    "The analysis of {b} suggests where {a} breaks down and how {method} repairs it.",
    "In contrast to earlier work on {topic}, no tuning of {c} is needed.",
)
FIRST_NAMES: Final = (
    "Alma", "Bela", "Carin", "Davit", "Edda", "Farid", "Greta", "Hiro", "Ines", "Jonas", "Kalinda", "Lev", "Mina",
    "Nils", "Oyelaran", "Petra", "Quim", "Rosa", "Sefa", "Tarek", "Una", "Viggo", "Wanda", "Ximena", "Yuto",
    "Zora",
)  # fmt: skip
LAST_NAMES: Final = (
    "Abelard", "Brindley", "Castellane", "Dornfeld", "Eastmoor", "Fennimore", "Garrowby", "Hallstrand", "Ibarrola",
    "Jessup", "Kestrelli", "Lindqvister", "Marchetto", "Northam", "Okonjira", "Pellington", "Quarrier",
    "Rautenbach", "Silvano", "Takemori", "Ulvestad", "Vantongeren", "Wexcombe", "Yarrowdale", "Zelmanis",
)  # fmt: skip
ORGANIZATIONS: Final = (
    ("northlake", "Northlake Institute"), ("tallgrass", "Tallgrass Research"), ("harbour-lab", "Harbour Lab"),
    ("meridian-u", "Meridian University"), ("quarry", "Quarry Labs"), ("saltmarsh", "Saltmarsh Collective"),
    ("highfen", "Highfen Polytechnic"), ("copperbeech", "Copperbeech AI"),
)  # fmt: skip


def _topics() -> tuple[Topic, ...]:
    lines = [line.strip() for line in _TOPICS.strip().splitlines()]
    size = 1 + THEMES_PER_TOPIC
    return tuple(_topic(lines[at], lines[at + 1 : at + size]) for at in range(0, len(lines), size))


def _topic(head: str, themes: list[str]) -> Topic:
    slug, name, category, also = (part.strip() for part in head.split(";"))
    return Topic(slug, name, category, also, tuple(tuple(theme.split(", ")) for theme in themes))


TOPICS: Final = _topics()
