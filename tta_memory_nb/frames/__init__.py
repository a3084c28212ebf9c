"""Records as pandas DataFrames, and how these are shown. Only this package imports pandas."""

from .build import differences_frame, facts_frame, folders_frame, hits_frame, records_frame
from .conversation import conversation_frame
from .explained import explained_frame, matched_words, understood, why_frame
from .findings import findings_frame
from .forgotten import forgetting_html, forgotten_frame
from .judged import changes_frame, evaluation_frame, questions_frame, tuning_frame
from .packed import ledger_frame, pack_html
from .proposed import proposals_frame
from .render import frame_html, frame_text, is_table
from .resolved import resolution_frame, resolution_html
from .summarized import looked_frame, summary_html
from .tombstones import tombstones_frame
from .traced import operations_frame
from .unfolded import cell_html, trace_html
from .versions import log_html, versions_frame

__all__ = [
    "cell_html",
    "changes_frame",
    "conversation_frame",
    "differences_frame",
    "evaluation_frame",
    "explained_frame",
    "facts_frame",
    "findings_frame",
    "folders_frame",
    "forgetting_html",
    "forgotten_frame",
    "frame_html",
    "frame_text",
    "hits_frame",
    "is_table",
    "ledger_frame",
    "log_html",
    "looked_frame",
    "matched_words",
    "operations_frame",
    "pack_html",
    "proposals_frame",
    "questions_frame",
    "records_frame",
    "resolution_frame",
    "resolution_html",
    "summary_html",
    "tombstones_frame",
    "trace_html",
    "tuning_frame",
    "understood",
    "versions_frame",
    "why_frame",
]
