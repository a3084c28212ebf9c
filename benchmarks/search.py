"""The cost of a search, beside other ways to search.

    python benchmarks/search.py [--quick] [--sizes 1k 10k] [--peers linear] [--corpora zipf]

Each peer searches each corpus in a fresh process. One run measures all of them, one after another. They get the
same records (corpus.py) and the same queries, several of each class, in rotation. A figure is the median over the
queries of a class of the median time of a query, and the worst query is shown beside it. The results of each
peer are compared with those of a scan of all texts. Library defaults are unchanged, so polars and tantivy use as
many threads as they choose.

    load       adding all records, including a commit if the peer has one
    cold       the very first search, for a rare word
    index      the work that a peer still has to do before its searches reach their final speed
    bytes/record    the growth of the process since before the load, divided by the number of
               records: keys, values, texts and index
    index+text the index and the searched texts alone, if the peer can report them
    add+search at capacity: one record is added and one evicted, then one search for 5 records;
               rare, absent and phrase alternate

A slow search that finds fewer records than the limit is not measured again with a higher limit, because the work is
the same.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from math import log10
from pathlib import Path
from statistics import fmean, median
from typing import Any

from corpus import (
    CHECKED_TURNS,
    CHITCHAT_SIZE,
    CHUNK,
    CLASSES,
    LIMITS,
    SELECTIVE,
    Corpus,
    Json,
    Questions,
    Stored,
    corpus,
    digest,
    has_chitchat,
    prepare,
    store,
)
from measuring import in_rotation, peak_resident, resident, timed
from peers import OURS, PEERS, Peer, Unavailable
from report import (
    RESULTS,
    Goal,
    geometric_mean,
    goals_table,
    heading,
    log_progress,
    ratio,
    shown,
    surroundings,
    table,
    write,
)

SIZES = {"1k": 1_000, "10k": 10_000, "100k": 100_000, "1M": 1_000_000}
QUICK = ("1k", "10k")
LIMIT = LIMITS[0]
MOST_TURNS = 300  # rounds of adding and searching
TURNS_SECONDS = 3.0
COUNTED = ("broad", "rare")


# ---------------------------------------------------------------- one peer, in its own process


def measure(name: str, records: Stored, questions: Questions) -> Json:
    """Measures one peer: seconds, bytes, and whether its answers are right."""
    for (
        _
    ) in records.chunks():  # loads everything that reading records needs before memory is measured
        break
    peer = PEERS[name](records.size)
    before = resident()
    loading = 0.0
    for chunk in records.chunks():
        loading += timed(partial(peer.load, chunk))[0]
        del chunk
    loading += timed(peer.loaded)[0]
    cold, _ = timed(partial(peer.search, questions.queries["rare"][0], LIMIT))
    settling, _ = timed(peer.settle)
    after = (
        resident() if records.size >= CHUNK else None
    )  # for fewer records, most of it would be noise
    result: Json = {
        "load": loading,
        "cold": cold,
        "index": settling,
        "bytes": None if before is None or after is None else (after - before) / records.size,
        "index and text": ratio(peer.index_and_text(), records.size),
        "classes": {},
        "counts": {},
    }
    for kind in CLASSES:
        result["classes"][kind] = _search(peer, questions, kind)
    if peer.counts:
        for kind in COUNTED:
            result["counts"][kind] = _count(peer, questions, kind)
    result["turns"] = _add_and_search(peer, records, questions)
    result["peak"] = peak_resident()
    return result


def _search(peer: Peer, questions: Questions, kind: str) -> Json:
    """Measures one class: for each limit the median, the worst, each query, and whether it was right."""
    queries = questions.queries[kind]
    figures: Json = {}
    same_work: list[float] = []
    for limit, answers in zip(LIMITS, questions.answers[kind], strict=True):
        if same_work:
            figures[str(limit)] = figures[str(LIMIT)]
            continue
        first = [timed(partial(peer.search, query, limit)) for query in queries]
        found = [values for _, values in first]
        seconds = [taken for taken, _ in first]
        medians = in_rotation(partial(_search_one, peer, limit), queries, seconds)
        figures[str(limit)] = {
            "median": median(medians),
            "worst": max(medians),
            "queries": medians,
            "right": [digest(values) for values in found] == answers,
        }
        if fmean(seconds) > 0.05 and all(len(values) < limit for values in found):
            same_work = medians
    return figures


def _search_one(peer: Peer, limit: int, query: str) -> object:
    return peer.search(query, limit)


def _count(peer: Peer, questions: Questions, kind: str) -> Json:
    queries = questions.queries[kind]
    first = [timed(partial(peer.count, query)) for query in queries]
    medians = in_rotation(peer.count, queries, [seconds for seconds, _ in first])
    return {
        "median": median(medians),
        "right": [number for _, number in first] == questions.counts[kind],
    }


def _add_and_search(peer: Peer, records: Stored, questions: Questions) -> Json:
    """Measures repeated pairs of an evicting add and a search."""
    times: list[float] = []
    right = True
    for turn, (key, value) in enumerate(records.more()[:MOST_TURNS]):
        query = questions.turns[turn % len(questions.turns)]

        def both(key: str = key, value: Json = value, query: str = query) -> list[Json]:
            peer.add(key, value)
            return peer.search(query, LIMIT)

        seconds, found = timed(both)
        times.append(seconds)
        if turn < CHECKED_TURNS:
            right = right and digest(found) == questions.turn_answers[turn]
        elif sum(times) > TURNS_SECONDS:
            break
    return {"median": median(times), "mean": fmean(times), "turns": len(times), "right": right}


# ---------------------------------------------------------------- all peers, one after another


def run(names: Sequence[str], records: Corpus) -> Json:
    """Measures all peers over one corpus."""
    where = f"{records.name} {short(records.size)}"
    with tempfile.TemporaryDirectory() as folder:
        seconds, prepared = timed(partial(_own_process, records, folder))
        if "unavailable" in prepared:
            log_progress(f"{where}: no queries, {prepared['unavailable']}")
            return {}
        log_progress(f"{where}: records, queries and right answers, {seconds:.0f} s")
        results = {}
        for name in names:
            seconds, results[name] = timed(partial(_own_process, records, folder, name))
            log_progress(
                f"{where}: {name}, {results[name].get('unavailable') or f'{seconds:.0f} s'}"
            )
    return {"corpus": records.name, "size": records.size, **prepared, "peers": results}


def _own_process(records: Corpus, folder: str, peer: str = "") -> Json:
    """Returns the result of `work` in a fresh process, or the reason why there is none."""
    task = json.dumps([records.name, records.size, folder, peer])
    command = [sys.executable, str(Path(__file__).resolve()), "--work", task]
    done = subprocess.run(command, check=False, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        return {"unavailable": f"its process ended with {done.returncode}"}
    result: Json = json.loads(done.stdout)
    return result


def work(task: str) -> Json:
    """Measures a peer; without a peer, makes the records and the questions for all of them."""
    name, size, where, peer = json.loads(task)
    folder = Path(where)
    file = folder / "questions.json"
    if not peer:
        questions = prepare(store(corpus(name, size), folder))
        file.write_text(json.dumps(questions.json()), encoding="utf-8")
        return questions.json()
    questions = Questions(**json.loads(file.read_text(encoding="utf-8")))
    try:
        return measure(peer, Stored(folder), questions)
    except Unavailable as error:
        return {"unavailable": str(error)}


# ---------------------------------------------------------------- tables

# By heading: extracts a figure of a peer, and whether its answers were right.
Columns = Mapping[str, Callable[[Json], tuple[float | None, bool]]]


def short(size: int) -> str:
    """Formats a size as 1k, 10k, 100k, 1M or 258k."""
    return f"{size // 1_000_000}M" if size >= 1_000_000 else f"{size // 1_000}k"


def tables(measured: Json) -> str:
    """Returns all figures over one corpus, each with its ratio to this package's."""
    there = {name: peer for name, peer in measured["peers"].items() if "unavailable" not in peer}
    what, size, width = measured["corpus"], measured["size"], measured["json_bytes"]
    parts = [f"== {what}, {size:,} records, values of {width:.0f} bytes =="]
    for limit in map(str, LIMITS):
        parts.append(f"search with limit {limit}, us (ratio to {OURS}; ! wrong answers)")
        parts.append(
            _side_by_side(
                there,
                {
                    kind: partial(_class_cell, kind=kind, limit=limit, what="median")
                    for kind in CLASSES
                },
            )
        )
    parts.append(f"worst query of each class with limit {LIMIT}, us")
    worst = {
        kind: partial(_class_cell, kind=kind, limit=str(LIMIT), what="worst") for kind in CLASSES
    }
    parts.append(_side_by_side(there, worst))
    parts.append("everything else")
    others: Columns = {
        "load, ms": lambda peer: (1e3 * peer["load"], True),
        "cold, ms": lambda peer: (1e3 * peer["cold"], True),
        "index, ms": lambda peer: (1e3 * peer["index"], True),
        "add+search, us": lambda peer: (1e6 * peer["turns"]["median"], peer["turns"]["right"]),
        "mean, us": lambda peer: (1e6 * peer["turns"]["mean"], peer["turns"]["right"]),
        "count broad, us": partial(_count_cell, kind="broad"),
        "count rare, us": partial(_count_cell, kind="rare"),
        "bytes/record": lambda peer: (peer["bytes"], True),
        "index+text": lambda peer: (peer["index and text"], True),
        "peak, MB": lambda peer: (peer["peak"] and peer["peak"] / 2**20, True),
    }
    parts.append(_side_by_side(there, others))
    parts += [
        f"{name} is not here: {peer['unavailable']}"
        for name, peer in measured["peers"].items()
        if "unavailable" in peer
    ]
    return "\n\n".join(parts)


def _class_cell(peer: Json, kind: str, limit: str, what: str) -> tuple[float | None, bool]:
    figures = peer["classes"][kind][limit]
    return 1e6 * figures[what], figures["right"]


def _count_cell(peer: Json, kind: str) -> tuple[float | None, bool]:
    figures = peer["counts"].get(kind)
    return (1e6 * figures["median"], figures["right"]) if figures else (None, True)


def _side_by_side(there: Json, columns: Columns) -> str:
    own = {
        column: figure(there[OURS])[0] if OURS in there else None
        for column, figure in columns.items()
    }
    rows = []
    for name, peer in there.items():
        row = [name]
        for column, figure in columns.items():
            value, right = figure(peer)
            times = "" if name == OURS or column == "index, ms" else _times(value, own[column])
            row.append(f"{'' if right else '!'}{shown(value)}{times}")
        rows.append(row)
    return table(["", *columns], rows)


def _times(figure: float | None, own: float | None) -> str:
    factor = ratio(figure, own)
    return "" if factor is None else f" ({shown(factor)}x)"


# ---------------------------------------------------------------- goals


class Figures:
    """Figures over the zipf corpus by peer and size; None if a figure was not measured."""

    def __init__(self, runs: Sequence[Json]) -> None:
        self.runs = {run["size"]: run for run in runs if run["corpus"] == "zipf"}

    def peer(self, name: str, size: int) -> Json | None:
        """Returns all figures of a peer."""
        peer: Json | None = self.runs.get(size, {}).get("peers", {}).get(name)
        return None if peer is None or "unavailable" in peer else peer

    def of(self, name: str, size: int, *path: str | int) -> Any:
        """Returns one figure of a peer."""
        found: Any = self.peer(name, size)
        for step in path:
            found = None if found is None else found[step]
        return found

    def classes(self, name: str, size: int, kinds: Sequence[str], limit: int = LIMIT) -> list[Any]:
        """Returns the medians of some classes."""
        return [self.of(name, size, "classes", kind, str(limit), "median") for kind in kinds]


def _mean_ratio(figures: Sequence[float | None], others: Sequence[float | None]) -> float | None:
    ratios = [ratio(figure, other) for figure, other in zip(figures, others, strict=True)]
    there = [factor for factor in ratios if factor is not None]
    return geometric_mean(there) if len(there) == len(ratios) else None


def goals(runs: Sequence[Json]) -> list[Goal]:
    """Returns the goals of this package over the zipf corpus."""
    figures = Figures(runs)
    selective = "/".join(SELECTIVE)

    def own(size: int) -> list[Any]:
        return figures.classes(OURS, size, SELECTIVE)

    found = []
    for size, bound in ((1_000, 150), (10_000, 2_500), (100_000, 15_000), (1_000_000, 50_000)):
        theirs = figures.classes("ancestor", size, SELECTIVE)
        name = f"{selective} faster than the ancestor, {short(size)}"
        found.append(Goal(name, _mean_ratio(theirs, own(size)), bound, at_least=True))
    for size, part in ((1_000, 1.0), (10_000, 0.15), (100_000, 0.06), (1_000_000, 0.01)):
        theirs = figures.classes("sqlite-fts5", size, SELECTIVE)
        name = f"{selective} over sqlite-fts5, {short(size)}"
        found.append(Goal(name, _mean_ratio(own(size), theirs), part))
    for size, bound in ((1_000, 120), (10_000, 1_500), (100_000, 12_000)):
        ours, theirs = (figures.of(name, size, "turns", "median") for name in (OURS, "ancestor"))
        name = f"evicting add + search faster than the ancestor, {short(size)}"
        found.append(Goal(name, ratio(theirs, ours), bound, at_least=True))
    for size, part in ((100_000, 1.5), (1_000_000, 4.0)):
        name = f"{selective}: growth from 1k to {short(size)}"
        found.append(Goal(name, _mean_ratio(own(size), own(1_000)), part))
    worst = [figures.of(OURS, 100_000, "classes", kind, str(LIMIT), "worst") for kind in CLASSES]
    slowest = None if None in worst else 1e3 * max(worst)
    found.append(Goal("worst query of any class, 100k", slowest, 1.0, unit=" ms"))
    for size in SIZES.values():
        for limit, name, part in ((5, "linear", 2.5), (100, "sqlite-fts5", 1.5)):
            pair = [figures.classes(peer, size, ["broad"], limit)[0] for peer in (OURS, name)]
            found.append(
                Goal(f"broad, limit {limit}, over {name}, {short(size)}", ratio(*pair), part)
            )
    path = ("classes", "rare", str(LIMIT), "queries", 0)
    name = "first search after a load over one of the ancestor's, 100k"
    cold = figures.of(OURS, 100_000, "cold")
    found.append(Goal(name, ratio(cold, figures.of("ancestor", 100_000, *path)), 1.0))
    for size in (100_000, 1_000_000):
        kilobytes = ratio(figures.of(OURS, size, "index and text"), 1024)
        found.append(Goal(f"index and text per record, {short(size)}", kilobytes, 1.5, unit=" KB"))
    peak = ratio(figures.of(OURS, 1_000_000, "peak"), 2**30)
    found.append(Goal("peak of a process with 1M records", peak, 4.0, unit=" GB"))
    return found


# ---------------------------------------------------------------- plot

# Okabe and Ito's palette, which people with colour blindness can distinguish.
LOOKS = {
    OURS: ("#D55E00", "o"),
    "ancestor": ("#000000", "s"),
    "linear": ("#999999", "v"),
    "sqlite-fts5": ("#0072B2", "^"),
    "polars": ("#E69F00", "D"),
    "tantivy": ("#009E73", "P"),
    "pyroaring": ("#56B4E9", "X"),
    "stringzilla": ("#CC79A7", "<"),
}


def plot(runs: Sequence[Json], path: Path) -> None:
    """Plots time against the number of records, with a panel for each class and a line for each peer."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    figures = Figures(runs)
    sizes = sorted(figures.runs)
    figure, axes = pyplot.subplots(
        2, 4, figsize=(15, 8), sharex=True, sharey=True, layout="constrained"
    )
    for panel, (kind, meaning) in zip(axes.flat, CLASSES.items(), strict=True):
        for name, (colour, marker) in LOOKS.items():
            line = [
                (size, 1e6 * seconds)
                for size in sizes
                for seconds in figures.classes(name, size, [kind])
                if seconds is not None
            ]
            if line:
                ours = name == OURS
                panel.plot(
                    *zip(*line, strict=True),
                    color=colour,
                    marker=marker,
                    markersize=8 if ours else 5,
                    linewidth=3.5 if ours else 1.3,
                    zorder=3 if ours else 2,
                    label=name,
                )
        panel.set_title(f"{kind}\n", fontsize=13, fontweight="bold")
        panel.text(0.5, 1.02, meaning, transform=panel.transAxes, ha="center", fontsize=8)
        panel.set(xscale="log", yscale="log")
        panel.set_xticks(sizes, [short(size) for size in sizes], minor=False)
        panel.minorticks_off()
        panel.grid(color="#dddddd", linewidth=0.6)
        panel.spines[["top", "right"]].set_visible(False)
        low, high = panel.get_ylim()
        decades = range(-1 if low < 1 else 0, 1 + int(log10(high)))
        panel.set_yticks([10.0**n for n in decades], [_duration(n) for n in decades])
    for panel in axes[:, 0]:
        panel.set_ylabel("one search, limit 5", fontsize=11)
    for panel in axes[-1]:
        panel.set_xlabel("records", fontsize=11)
    handles, labels = axes.flat[0].get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside lower center", ncols=len(labels), frameon=False, fontsize=12
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    log_progress(f"written: {path}")


def _duration(decade: int) -> str:
    """Formats 10 to this power microseconds for people."""
    unit, rest = divmod(decade, 3)
    return f"{10**rest} {['µs', 'ms', 's', 'ks'][unit]}" if decade >= 0 else f"{10.0**decade:g} µs"


# ---------------------------------------------------------------- the whole


def main() -> None:
    """Measures, prints the figures, and writes and plots them."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--sizes", nargs="+", choices=SIZES)
    parser.add_argument("--peers", nargs="+", choices=PEERS, default=list(PEERS))
    parser.add_argument("--corpora", nargs="+", choices=["zipf", "chitchat"])
    parser.add_argument("--quick", action="store_true", help="small sizes, no files: a smoke test")
    parser.add_argument(
        "--output", type=Path, help="folder for the files; default: benchmarks/results"
    )
    parser.add_argument("--no-plot", action="store_true")
    parser.add_argument("--work", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        print(json.dumps(work(options.work)))
        return
    sizes = options.sizes or (QUICK if options.quick else SIZES)
    corpora = options.corpora or (["zipf"] if options.quick else ["zipf", "chitchat"])
    chosen = [corpus("zipf", SIZES[size]) for size in sizes] if "zipf" in corpora else []
    if "chitchat" in corpora and has_chitchat():
        chosen.append(corpus("chitchat", CHITCHAT_SIZE))
    elif "chitchat" in corpora:
        log_progress("chitchat is not installed: pip install 'tta-memory-nb[tutorials]'")
    folder = options.output or (None if options.quick else RESULTS)
    around = surroundings()
    print(heading(around), end="\n\n", flush=True)
    runs: list[Json] = []
    for records in chosen:
        measured = run(options.peers, records)
        if not measured:
            continue
        print(tables(measured), end="\n\n", flush=True)
        runs.append(measured)
        if folder is not None:  # after each corpus, so that an interrupted run keeps its results
            reached = [goal.json() for goal in goals(runs)]
            write(folder / "search.json", {**around, "goals": reached, "runs": runs})
    print(goals_table(goals(runs)), flush=True)
    if folder is not None and not options.no_plot:
        try:
            plot(runs, folder / "search.png")
        except ImportError as error:
            log_progress(f"no plot: {error}")


if __name__ == "__main__":
    main()
