"""Judged searches: questions with right and wrong records, and how well each mode answers them.

golden.py        questions and judgements; the file that keeps them
corpora.py       test collections that bring their records: LoCoMo-like files, BEIR-like folders
measures.py      recall, precision, reciprocal rank, nDCG of one answer
significance.py  intervals of a mean, and whether a difference is more than noise
run.py           asks a memory every question in every mode
result.py        what came of it: tables, figures, comparisons
"""

from .golden import GoldenSet, Question, digest, judge
from .result import Answer, Changed, Comparison, Evaluation
from .run import evaluate

__all__ = [
    "Answer",
    "Changed",
    "Comparison",
    "Evaluation",
    "GoldenSet",
    "Question",
    "digest",
    "evaluate",
    "judge",
]
