"""Spans and metrics of a memory, by OpenTelemetry (extra ``otel``).

The names are those of the semantic conventions for generative AI where these have one: ``search_memory``, ``upsert_memory``,
``delete_memory``, ``gen_ai.memory.store.id`` and others (https://opentelemetry.io/docs/specs/semconv/gen-ai). Any other verb is
``memory.VERB``. The Python package of the conventions lacks these names, so they are written out here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sized
from threading import local
from time import perf_counter, time
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from ..errors import InvalidArgument, MissingPackage
from ..memory.faces import MemoryPrimitive, SyncMemory
from ..memory.watching import add_watch, remove_watch

if TYPE_CHECKING:
    from opentelemetry.metrics import CallbackOptions, MeterProvider, Observation
    from opentelemetry.trace import Span, TracerProvider

    from ..stores.plan import Plan

T = TypeVar("T")

Attributes: TypeAlias = dict[str, str | int]

_SCOPE = "tta_memory_nb"

# Verb -> operation of the conventions.
_OPERATIONS = {
    **dict.fromkeys(
        ("search", "search_records", "stream_records", "hits", "pack"), "search_memory"
    ),
    **dict.fromkeys(("add", "add_many", "apply", "append", "import_"), "upsert_memory"),
    **dict.fromkeys(("delete", "remove", "clear", "take_all", "forget"), "delete_memory"),
}

# What the conventions call the system below; a memory in this process has none.
_SYSTEMS = {"redis": "redis", "file": "sqlite"}

# Verbs whose first argument is one key, and those whose first argument is a query.
_OF_A_KEY = {"add", "get", "delete", "ttl"}
_OF_A_QUERY = {"search", "search_records", "stream_records", "hits", "count", "pack", "why"}


class Observed:
    """The `Watch` that `observe` gives to a memory.

    Args:
        memory: what is observed.
        tracer_provider: makes the tracer; None for the global one.
        meter_provider: makes the meter; None for the global one.
        keys: whether spans name records by their keys.
        queries: whether spans have the text of searches.
    """

    def __init__(
        self,
        memory: SyncMemory,
        tracer_provider: TracerProvider | None,
        meter_provider: MeterProvider | None,
        *,
        keys: bool,
        queries: bool,
    ) -> None:
        try:
            from opentelemetry import metrics, trace
        except ImportError as error:
            raise MissingPackage(
                "observe needs the package opentelemetry-api: pip install 'tta-memory-nb[otel]'"
            ) from error
        self._memory = memory
        self._keys = keys
        self._queries = queries
        self._is_on = True
        self._thread = local()
        self._error = trace.StatusCode.ERROR
        self._client = trace.SpanKind.CLIENT
        self._inside = trace.SpanKind.INTERNAL
        self._tracer = trace.get_tracer(_SCOPE, tracer_provider=tracer_provider)
        meter = metrics.get_meter(_SCOPE, meter_provider=meter_provider)
        self._duration = meter.create_histogram(
            "tta.memory.operation.duration", "s", "How long the verbs of a memory take."
        )
        self._hits = meter.create_counter(
            "tta.memory.hits", "{read}", "Reads of a key that found a record."
        )
        self._misses = meter.create_counter(
            "tta.memory.misses", "{read}", "Reads of a key that found none."
        )
        self._embedding = meter.create_histogram(
            "tta.memory.embedding.duration", "s", "How long the embedder takes for a call."
        )
        self._meanings = memory._verbs._meanings  # noqa: SLF001  what makes the vectors of both faces
        self._meanings.listeners += (self._embedded,)
        for name, unit, what, measure in (
            ("size", "{record}", "Records in the memory.", self._size),
            ("evictions", "{record}", "Records evicted since the start.", lambda: memory.evictions),
            (
                "expired",
                "{record}",
                "Records that expired since the start.",
                lambda: memory.expired,
            ),
            ("journal", "{record}", "Writes of an outage that wait for the server.", self._waiting),
            (
                "degraded",
                "s",
                "For how long the server has been away; 0 while it is there.",
                self._degraded,
            ),
        ):
            meter.create_observable_gauge(
                f"tta.memory.{name}", [self._observing(measure)], unit, what
            )

    def stop(self) -> None:
        """Observes no more. The gauges give no values from then on."""
        self._is_on = False
        remove_watch(self._memory, self)
        others = [each for each in self._meanings.listeners if each != self._embedded]
        self._meanings.listeners = tuple(others)

    def __call__(self, verb: str, plan: Plan[T], /, *args: Any, **kwargs: Any) -> Plan[T]:
        """Returns a plan that does the same in a span of its own."""
        # What a gauge asks for is no work of an agent.
        is_measuring = getattr(self._thread, "is_measuring", False)
        return self._spanned(verb, plan, args, kwargs) if self._is_on and not is_measuring else plan

    def _spanned(
        self, verb: str, plan: Plan[T], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Plan[T]:
        operation = _OPERATIONS.get(verb, f"memory.{verb}")
        about = self._about(operation)
        system = about.get("db.system.name")
        # The plan may be continued in another context, so the span is not made the current one.
        span = self._tracer.start_span(
            operation, attributes=about, kind=self._client if system else self._inside
        )
        measured: Attributes = {"gen_ai.operation.name": operation}
        if system:
            measured["db.system.name"] = system
        started = perf_counter()
        try:
            if span.is_recording():
                self._describe(span, verb, args, kwargs)
            result = yield from plan
        except BaseException as error:
            # Only its kind: the text of an error may name keys and values.
            measured["error.type"] = type(error).__qualname__
            span.set_attribute("error.type", type(error).__qualname__)
            span.set_status(self._error)
            raise
        else:
            self._note(span, verb, result, measured)
            return result
        finally:
            self._duration.record(perf_counter() - started, measured)
            span.end()

    def _about(self, operation: str) -> Attributes:
        namespace = self._memory.namespace
        about: Attributes = {
            "gen_ai.operation.name": operation,
            "gen_ai.memory.store.id": namespace,
            "db.namespace": namespace,
        }
        system = _SYSTEMS.get(self._memory.backend)
        if system:
            about["db.system.name"] = system
        return about

    def _describe(
        self, span: Span, verb: str, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        """Adds the key or the query of a verb, if it was asked for."""
        first = args[0] if args else kwargs.get("key" if verb in _OF_A_KEY else "query")
        if not isinstance(first, str):
            return
        if self._keys and verb in _OF_A_KEY:
            span.set_attribute("gen_ai.memory.record.id", _portable(first))
        if self._queries and verb in _OF_A_QUERY:
            span.set_attribute("db.query.text", _portable(first))

    def _note(self, span: Span, verb: str, result: object, measured: Attributes) -> None:
        if verb == "get":
            (self._misses if result is None else self._hits).add(1, measured)
        count = None
        if verb in ("add", "get", "delete"):
            count = 0 if result is None and verb == "get" else int(result is not False)
        elif isinstance(result, int) and not isinstance(result, bool):
            count = result
        elif isinstance(result, Sized) and not isinstance(result, (str, bytes)):
            count = len(result)
        if count is not None:
            span.set_attribute("gen_ai.memory.record.count", count)

    def _embedded(self, seconds: float, _texts: int) -> None:
        self._embedding.record(seconds, {"gen_ai.memory.store.id": self._memory.namespace})

    # ---- gauges

    def _observing(
        self, measure: Callable[[], float | None]
    ) -> Callable[[CallbackOptions], Iterable[Observation]]:
        from opentelemetry.metrics import Observation

        def observe(_: CallbackOptions) -> Iterable[Observation]:
            value = measure() if self._is_on else None
            about = {"gen_ai.memory.store.id": self._memory.namespace}
            return [] if value is None else [Observation(value, about)]

        return observe

    def _size(self) -> int | None:
        """Returns the number of records; None in an outage, when only the server knows it."""
        if self._memory.outage():
            return None
        self._thread.is_measuring = True
        try:
            return self._memory.size()
        finally:
            self._thread.is_measuring = False

    def _waiting(self) -> int:
        outage = self._memory.outage()
        return 0 if outage is None else int(outage["writes_waiting"])

    def _degraded(self) -> float:
        outage = self._memory.outage()
        return 0.0 if outage is None else max(0.0, time() - outage["degraded_since"])


def observe(
    memory: MemoryPrimitive | SyncMemory,
    tracer_provider: TracerProvider | None = None,
    meter_provider: MeterProvider | None = None,
    *,
    keys: bool = False,
    queries: bool = False,
) -> Observed:
    """Has every verb of a memory give a span and metrics, until `Observed.stop`.

    Values are in none of them.

    Args:
        memory: what to observe; both faces of it are.
        tracer_provider: makes the tracer; None for the global one.
        meter_provider: makes the meter; None for the global one.
        keys: name records by their keys, which may be personal data.
        queries: add the text of searches, which may be personal data.

    Returns:
        What stops it.

    Raises:
        InvalidArgument: no memory.
        MissingPackage: OpenTelemetry is not installed.
    """
    if not isinstance(memory, (MemoryPrimitive, SyncMemory)):
        raise InvalidArgument.about("memory", memory, "give a MemoryPrimitive")
    sync = memory.sync if isinstance(memory, MemoryPrimitive) else memory
    observed = Observed(sync, tracer_provider, meter_provider, keys=keys, queries=queries)
    add_watch(sync, observed)
    return observed


def _portable(text: str) -> str:
    """Returns a text that exporters can encode."""
    return text.encode("utf-8", "replace").decode()
