"""The two stages that run in a process of their own: the judgement and the fit.

They see files only, no database and no cache. A fresh process each time: a fit in a forked child of a process that has
fitted before never ends. Progress goes to standard output, one JSON line each.
"""

import json
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from api.services.snapshots import SNAPSHOT, Plan, load_plan
from api.store.snapshots import read_snapshot, write_json
from recommender.dataset import WeightConfig, build_dataset
from recommender.evaluation import judge
from recommender.hybrid import Hybrid, HybridConfig

RESULTS: Final = {"judge": "judgement.json", "fit": "fit.json"}
LEAST_REPORT_SECONDS: Final = 0.2  # between two lines of progress
KIB_PER_MIB: Final = 1024

Json = dict[str, Any]
Report = Callable[[str, float], None]


def run_stage_here(stage: str, folder: Path, *, artifact: Path) -> None:
    """Run one stage and write its result beside the plan, last."""
    plan = load_plan(folder)
    if plan is None:
        raise SystemExit(f"there is no whole snapshot in {folder}")
    started = time.perf_counter()
    if stage == "judge":
        result = judge_configurations(folder, plan, _reporter())
    else:
        result = fit_model(folder, plan, _reporter(), artifact=artifact)
    result["seconds"] = round(time.perf_counter() - started, 3)
    result["peak_memory_mb"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / KIB_PER_MIB, 1)
    write_json(folder / RESULTS[stage], result)


def judge_configurations(folder: Path, plan: Plan, report: Report) -> Json:
    """Return the judgement of the challenger's configuration on held-out events."""
    interactions, texts = read_snapshot(folder / SNAPSHOT)
    judgement = judge(
        interactions,
        texts,
        now=plan.now,
        weights=WeightConfig(**plan.weights),
        champion=None if plan.champion is None else HybridConfig.from_json(plan.champion),
        challenger=HybridConfig.from_json(plan.challenger),
        seed=plan.seed,
        progress=report,
    )
    return asdict(judgement)


def fit_model(folder: Path, plan: Plan, report: Report, *, artifact: Path) -> Json:
    """Fit on everything, write the artifact, and return what was fitted."""
    interactions, texts = read_snapshot(folder / SNAPSHOT)
    dataset = build_dataset(interactions, texts, now=plan.now, weights=WeightConfig(**plan.weights))
    config = HybridConfig.from_json(plan.challenger)
    model = Hybrid.fit(dataset, config, seed=plan.seed, progress=report)
    model.save(artifact)
    return {
        "readers": len(dataset.users),
        "papers": len(dataset.papers),
        "events": len(interactions),
        "pairs": int(dataset.user_items.nnz),
        "fingerprint": dataset.fingerprint(),
        "notes": list(model.notes),
    }


def _reporter() -> Report:
    last = 0.0

    def report(what: str, progress: float) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= LEAST_REPORT_SECONDS:
            last = now
            sys.stdout.write(json.dumps({"what": what, "progress": float(progress)}) + "\n")
            sys.stdout.flush()

    return report
