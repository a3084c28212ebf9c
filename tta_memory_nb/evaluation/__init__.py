"""Judged searches: questions with right and wrong records, and how well each mode answers them.

golden.py        questions and judgements; the file that keeps them
corpora.py       test collections that bring their records: LoCoMo-like files, BEIR-like folders
measures.py      recall, precision, reciprocal rank, nDCG of one answer
significance.py  intervals of a mean, and whether a difference is more than noise
asking.py        how both faces of a memory are asked
run.py           asks a memory every question in every mode
result.py        what came of it: tables and figures
comparison.py    the difference between two searches
saved.py         the file of an evaluation
tuning.py        proposes other weights of the signals
"""

from .comparison import Answer, Changed, Comparison
from .golden import GoldenSet, Question, digest, judge
from .result import Evaluation
from .run import evaluate
from .tuning import Tuning, tune

__all__ = [
    "Answer",
    "Changed",
    "Comparison",
    "Evaluation",
    "GoldenSet",
    "Question",
    "Tuning",
    "digest",
    "evaluate",
    "judge",
    "tune",
]
