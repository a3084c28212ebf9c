"""Spans and metrics of a memory, by the exporters in memory of OpenTelemetry's SDK."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from tta_memory_nb import Conflict, InvalidArgument, MemoryPrimitive, NotStorable, StoreUnavailable
from tta_memory_nb.integrations.otel import Observed, observe


class Telemetry:
    """The spans and the metrics of one test."""

    def __init__(self) -> None:
        self._spans = InMemorySpanExporter()
        self._metrics = InMemoryMetricReader()
        self.tracer_provider = TracerProvider()
        self.tracer_provider.add_span_processor(SimpleSpanProcessor(self._spans))
        self.meter_provider = MeterProvider([self._metrics])

    def observe(self, memory: Any, **options: Any) -> Observed:
        return observe(memory, self.tracer_provider, self.meter_provider, **options)

    def spans(self) -> list[Any]:
        found = list(self._spans.get_finished_spans())
        self._spans.clear()
        return found

    def values(self, name: str) -> list[Any]:
        """Returns the values of a metric, for a histogram the counts."""
        data = self._metrics.get_metrics_data()
        points = [
            point
            for each in (data.resource_metrics if data else [])
            for scope in each.scope_metrics
            for metric in scope.metrics
            if metric.name == f"tta.memory.{name}"
            for point in metric.data.data_points
        ]
        return [getattr(point, "value", getattr(point, "count", None)) for point in points]


@pytest.fixture
def telemetry() -> Telemetry:
    return Telemetry()


@pytest.fixture
def memory(clock) -> MemoryPrimitive:
    return MemoryPrimitive(namespace="agents", max_size=3, clock=clock)


def test_verbs_become_spans_with_the_names_of_the_conventions(telemetry, memory):
    telemetry.observe(memory)
    memory.sync.add("a", {"text": "rain"})
    asyncio.run(memory.add_many({"b": {}, "c": {}}))
    memory.sync.get("a")
    memory.sync.get("z")
    asyncio.run(memory.search("rain"))
    memory.sync.delete("a")
    memory.sync.delete("a")
    memory.sync.keys()
    spans = telemetry.spans()
    count = "gen_ai.memory.record.count"
    assert [(span.name, span.attributes[count]) for span in spans] == [
        ("upsert_memory", 1),
        ("upsert_memory", 2),
        ("memory.get", 1),
        ("memory.get", 0),
        ("search_memory", 1),
        ("delete_memory", 1),
        ("delete_memory", 0),
        ("memory.keys", 2),
    ]
    for span in spans:
        assert span.attributes["gen_ai.operation.name"] == span.name
        assert (
            span.attributes["gen_ai.memory.store.id"] == span.attributes["db.namespace"] == "agents"
        )
        assert "db.system.name" not in span.attributes
        assert span.kind == SpanKind.INTERNAL
        assert span.status.status_code == StatusCode.UNSET


def test_no_value_is_in_a_span_and_keys_and_queries_only_if_asked_for(telemetry, memory):
    secret = "hunter2"

    def work() -> str:
        memory.sync.add(f"key {secret}", {"text": f"value {secret}"})
        memory.sync.search(f"query {secret}")
        memory.sync.search_records(query=f"query {secret}")
        memory.sync.get(f"key {secret}")
        with pytest.raises(NotStorable):
            memory.sync.add(f"key {secret}", {secret: object()})
        return "".join(span.to_json() for span in telemetry.spans())

    observed = telemetry.observe(memory)
    assert secret not in work()
    observed.stop()
    observed = telemetry.observe(memory, keys=True, queries=True)
    shown = work()
    assert shown.count(f"key {secret}") == 2  # what is refused at once never begins
    assert shown.count(f"query {secret}") == 2
    assert f"value {secret}" not in shown


def test_an_error_is_named_by_its_kind_alone(telemetry, memory):
    telemetry.observe(memory)
    with pytest.raises(Conflict, match="a secret key"):
        memory.sync.apply({"a secret key": {}}, expect={"a secret key": "1"})
    [span] = telemetry.spans()
    assert span.attributes["error.type"] == "Conflict"
    assert span.status.status_code == StatusCode.ERROR
    assert "secret" not in span.to_json()


def test_metrics_tell_durations_hits_misses_size_and_evictions(telemetry, memory):
    telemetry.observe(memory)
    for number in range(5):
        memory.sync.add(f"k{number}", {})
    memory.sync.get("k4")
    memory.sync.get("k0")
    memory.sync.get("k1")
    assert telemetry.values("hits") == [1]
    assert telemetry.values("misses") == [2]
    assert telemetry.values("size") == [3]
    assert telemetry.values("evictions") == [2]
    memory.sync.add("brief", {}, ttl=5)
    memory.clock.tick(6)
    memory.sync.get("k3")
    assert telemetry.values("expired") == [1]
    assert telemetry.values("journal") == [0]
    assert telemetry.values("degraded") == [0]
    assert sum(telemetry.values("operation.duration")) == 10
    # A gauge is no work of an agent.
    assert len(telemetry.spans()) == 10


def test_what_was_observed_before_goes_on(telemetry, memory):
    seen: list[str] = []

    def before(verb: str, plan: Any, /, *args: Any, **kwargs: Any) -> Any:
        seen.append(verb)
        return plan

    memory.watch = before
    observed = telemetry.observe(memory)
    memory.sync.keys()
    observed.stop()
    memory.sync.size()
    assert seen == ["keys", "size"]
    assert memory.watch is before
    assert [span.name for span in telemetry.spans()] == ["memory.keys"]
    assert telemetry.values("size") == []


def test_calls_of_the_embedder_are_timed(telemetry, clock):
    def embed(texts: list[str]) -> list[list[float]]:
        return [[float(len(text)), 1.0] for text in texts]

    memory = MemoryPrimitive(embedder=embed, clock=clock)
    memory.sync.add("a", {"text": "rain"})
    observed = telemetry.observe(memory)
    assert memory.sync.search("rain", mode="semantic") == [{"text": "rain"}]
    [calls] = telemetry.values("embedding.duration")
    assert calls >= 1
    observed.stop()
    memory.sync.search("sun", mode="semantic")
    assert telemetry.values("embedding.duration") == [calls]


def test_something_else_is_refused(telemetry):
    with pytest.raises(InvalidArgument, match="give a MemoryPrimitive"):
        telemetry.observe("redis://localhost")


def test_a_stream_gives_a_span_for_each_batch(telemetry, memory):
    memory.sync.add_many({"a": {"text": "rain"}, "b": {"text": "rain"}})
    telemetry.observe(memory)
    assert len(list(memory.sync.stream_records("rain"))) == 2
    assert {span.name for span in telemetry.spans()} == {"search_memory"}


@pytest.mark.usefixtures("no_automatic_reconnect")
def test_a_server_is_named_and_its_outage_measured(telemetry, proxy):
    memory = MemoryPrimitive(proxy.url, namespace="observed")
    telemetry.observe(memory)
    memory.sync.add("a", {})
    [span] = telemetry.spans()
    assert (span.attributes["db.system.name"], span.kind) == ("redis", SpanKind.CLIENT)
    assert telemetry.values("size") == [1]
    proxy.refuse()
    memory.sync.add("b", {})
    assert telemetry.values("journal") == [1]
    assert telemetry.values("size") == []
    assert telemetry.values("degraded")[0] > 0
    with pytest.raises(StoreUnavailable):
        memory.sync.apply({"c": {}}, expect={"c": None})
    assert telemetry.spans()[-1].attributes["error.type"] == "StoreUnavailable"
    proxy.heal()
    memory.sync.reconnect()
    memory.sync.close()
