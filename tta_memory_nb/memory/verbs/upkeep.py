"""Verbs that keep a memory in order: what is wrong with it, what becomes shorter, what may go."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Unpack

from ...authorship import by_action
from ...filters import FilterArgs
from ...search.request import Search
from ...stores.plan import Plan
from ...summarizers.base import DEFAULT, SummarizerLike, open_summarizer
from ...times import Duration, duration
from ..after_writes import with_upkeep
from ..doctor.checks import PARAMETERS, CheckArgs, chosen
from ..meaning import Bar
from .common import spell_out_filters, spell_out_keywords
from .listing import ListingVerbs

if TYPE_CHECKING:
    from ...transfer import Progress
    from ..doctor.finding import Diagnosis
    from ..forgetting.forget import Forgetting
    from ..forgetting.policy import ForgetPolicy
    from ..summarizing.summary import Originals, Summary


class UpkeepVerbs(ListingVerbs):
    """Diagnoses, summarizes and forgets."""

    @spell_out_keywords(CheckArgs)
    def diagnose(
        self,
        checks: str | Iterable[str] | None = None,
        progress: Progress | bool = False,
        **options: Unpack[CheckArgs],
    ) -> Plan[Diagnosis]:
        """Looks for what is wrong with the records, and changes nothing.

        The records are looked at as they are when the call begins, whatever is written meanwhile. The work is done in short
        slices: an interrupt, or the cancellation of an awaiting task, ends it at once.

        Args:
            checks: names of checks, as text with commas or one by one; None for all of them.
            progress: show a progress bar, or a callable that wraps an iterable in one.
            **options: parameters of the checks, and filters that say which records are looked at.

        Returns:
            The findings, the most harmful first; a list with attributes that say what was looked at, and what could not be.

        Raises:
            InvalidArgument: there is no such check, or a parameter or a filter is wrong.
            MissingPackage: a check that was named needs a package that is not installed. Without names, such
                checks are left out, which ``skipped`` says.
            EmbedderError: the embedder fails, for the check ``"similar-meaning"`` if it was named.
        """
        from ..doctor.run import diagnose

        parameters = {name: options.pop(name, None) for name in PARAMETERS}  # type: ignore[misc]
        wanted = chosen(checks, parameters)
        search = Search(filters=self._filters(options), order="oldest")
        hits = yield from self._store.find(search)
        entries = [hit.entry for hit in hits]
        bar = Bar(progress, "examining")
        reads = None
        if self.watch is not None:
            from ..tracing.trace import reads_of

            reads = reads_of(self)
        now = self.clock()
        found = yield from diagnose(self._store, self._meanings, entries, wanted, now, bar, reads)
        found[:] = yield from self.kept_apart.without(found)
        return found

    @by_action("summarize")
    @spell_out_filters
    def summarize(
        self,
        keep_last: int = 10,
        older_than: Duration | None = None,
        into: str | None = None,
        originals: Originals = "keep",
        expire_in: Duration = "7d",
        dry_run: bool = False,
        summarizer: SummarizerLike | None = None,
        timeout: Duration = 60.0,
        **filters: Unpack[FilterArgs],
    ) -> Plan[Summary]:
        """Makes old records one summary, a record that lists the keys it comes from.

        What is written is written in one step: a crash leaves everything as it was, or the whole of it, and a
        record that has changed meanwhile refuses it. Called again, it adds to the summary what has been
        said since, without another look at what is in it. `undo` takes ``summary.change`` back.

        Args:
            keep_last: so many of the newest records are left alone.
            older_than: records that were written within this time are left alone as well; None for no such limit.
            into: key of the summary; None for one that the user and the session give, always the same.
            originals: what becomes of the summarized records: ``"keep"`` leaves them as they are, ``"expire"`` lets them
                expire, ``"delete"`` deletes them.
            expire_in: when they expire, with ``originals="expire"``; those that expire earlier still do.
            dry_run: write nothing; the summarizer is asked nevertheless.
            summarizer: makes the text; None for the memory's own, and without one for ``"extractive"``, which
                chooses sentences. An async one runs on the loop of a caller who awaits, and otherwise in a
                short-lived thread with a loop of its own.
            timeout: how long the summarizer may take.
            **filters: which records are summarized; see the class. Summaries never are.

        Returns:
            The summary, with its text and key, the records that it comes from, and the change.

        Raises:
            InvalidArgument: an argument; a key of another record for ``into``; more than 25,000 records.
            SummarizerError: the summarizer fails, takes too long, or gives no text.
            Conflict: a record has been changed or deleted while the summarizer worked.
            StoreUnavailable: in an outage, in which nobody can tell whether a record has changed.
        """
        from ..summarizing.summarize import Wanted, summarize

        own = self._summarizer if summarizer is None else summarizer
        wanted = Wanted(
            open_summarizer(DEFAULT if own is None else own, self.options.language),
            keep_last,
            older_than,
            into,
            originals,
            expire_in,
            dry_run,
            timeout,
        )
        return summarize(self, self._store, self._record, wanted, filters)

    @spell_out_filters
    def forget(
        self,
        policy: ForgetPolicy | None,
        dry_run: bool = False,
        everything: bool = False,
        every: Duration | None = None,
        **filters: Unpack[FilterArgs],
    ) -> Plan[Forgetting]:
        """Deletes the records that a policy lets go; `undo` takes ``change`` of the result back.

        A record that somebody writes meanwhile stays. So do pinned ones, see `ForgetPolicy`.

        Args:
            policy: says which records may go; None to end what ``every`` has begun.
            dry_run: delete nothing; the table of the result says which records would go, and why.
            everything: delete all records, if that is what the policy says; without it, this is an error.
            every: also apply the policy later, after a write of this process when so much time has passed. It then never
                deletes all records; what goes wrong is logged, and does not fail the write.
            **filters: which records the policy is about; see the class.

        Returns:
            The records that went, or in a dry run would go, each with the reason, and the change.

        Raises:
            InvalidArgument: it is no policy, its tokenizer fails, or it would delete every record it is about.
            StoreUnavailable: in an outage, in which nobody can tell whether a record has changed.
        """
        from ..forgetting.forget import Forgetting, check_policy, forget
        from ..forgetting.upkeep import Upkeep

        seconds = None if every is None else duration(every, "every")
        if policy is None:
            self.upkeep = with_upkeep(self.upkeep, Upkeep, None)
            return Forgetting((), 0, None, dry_run)
        done = yield from forget(
            self, self._store, check_policy(policy), dry_run, everything, filters
        )
        if seconds is not None and not dry_run:
            later = Upkeep(self, self._store, policy, seconds, filters)
            self.upkeep = with_upkeep(self.upkeep, Upkeep, later)
        return done
