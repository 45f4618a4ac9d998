"""OpenTelemetry's instrumentation for aiohttp, unchanged: spans, what travels with the request, metrics."""

from collections.abc import Mapping
from typing import Any

import aiohttp
import pytest
from opentelemetry.instrumentation.aiohttp_client import create_trace_config
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode, get_current_span

import aioclient

from ..loopback import OK, answer, moved
from ..servers.either import RawServer

pytestmark = pytest.mark.both_protocols


class Telemetry:
    """A tracer and a meter of this test's own, and a trace config of the instrumentation's."""

    def __init__(self) -> None:
        self.exporter = InMemorySpanExporter()
        self.tracing = TracerProvider()
        self.tracing.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.reader = InMemoryMetricReader()
        self.metering = MeterProvider(metric_readers=[self.reader])
        self.config = create_trace_config(
            tracer_provider=self.tracing,
            meter_provider=self.metering,
            captured_request_headers=["x-asked"],
            captured_response_headers=["x-told", "set-cookie"],
            sensitive_headers=["set-cookie"],
        )

    def spans(self) -> list[ReadableSpan]:
        """Return what was exported so far, and forget it."""
        finished = list(self.exporter.get_finished_spans())
        self.exporter.clear()
        return finished

    def shutdown(self) -> None:
        """End both providers, and what they have running."""
        self.tracing.shutdown()
        self.metering.shutdown()


@pytest.fixture
def telemetry() -> Any:
    found = Telemetry()
    yield found
    found.shutdown()


def described(span: ReadableSpan) -> tuple[str, SpanKind, StatusCode, Mapping[str, Any]]:
    return span.name, span.kind, span.status.status_code, dict(span.attributes or {})


REPLY = answer(b"ok", "X-Told: yes", "Set-Cookie: a=secret")


async def test_spans(telemetry: Telemetry) -> None:
    """A call makes one client span, ended, with the attributes that it has with aiohttp."""
    async with RawServer.replies([REPLY], repeat=True) as server:
        found = []
        for library in (aioclient, aiohttp):
            async with (
                library.ClientSession(trace_configs=[telemetry.config]) as session,
                session.get(server.url("/path?a=1"), headers={"X-Asked": "really"}) as response,
            ):
                await response.read()
            [span] = telemetry.spans()
            found.append(described(span))
    ours, theirs = found
    assert ours == theirs
    name, kind, status, attributes = ours
    assert (name, kind, status) == ("GET", SpanKind.CLIENT, StatusCode.UNSET)
    assert attributes["http.status_code"] == 200
    assert attributes["http.url"] == server.url("/path?a=1")
    assert attributes["http.request.header.x_asked"] == ("really",)
    assert attributes["http.response.header.x_told"] == ("yes",)
    assert attributes["http.response.header.set_cookie"] == ("[REDACTED]",)


async def test_context_travels(telemetry: Telemetry) -> None:
    """The span's context is sent along, redirects included, and is current while the call runs, not afterwards."""
    current: list[int] = []

    async def look(request: Any, handler: Any) -> Any:
        current.append(get_current_span().get_span_context().span_id)
        return await handler(request)

    async with (
        RawServer.replies([moved("/there"), OK]) as server,
        aioclient.ClientSession(
            server.url(), trace_configs=[telemetry.config], middlewares=[look]
        ) as session,
    ):
        with telemetry.tracing.get_tracer("test").start_as_current_span("outer") as outer:
            async with session.get("/"):
                assert get_current_span() is outer
    inner, _ = telemetry.spans()
    assert inner.context is not None
    assert inner.parent is not None
    assert inner.parent.span_id == outer.get_span_context().span_id
    assert current == [inner.context.span_id] * 2
    carried = f"00-{inner.context.trace_id:032x}-{inner.context.span_id:016x}-"
    found = [request.value("traceparent") or "" for request in server.requests]
    assert [value.startswith(carried) for value in found] == [True, True], found


async def test_errors(telemetry: Telemetry) -> None:
    """A status of 400 or more, and an exception, end the span as an error."""
    async with (
        RawServer.replies([answer(status="503 Busy"), answer(status="404 Not Found")]) as server,
        aioclient.ClientSession(server.url(), trace_configs=[telemetry.config]) as session,
    ):
        async with session.get("/") as response:
            await response.read()
        [span] = telemetry.spans()
        assert span.status.status_code is StatusCode.ERROR
        with pytest.raises(aioclient.ClientResponseError):
            await session.get("/", raise_for_status=True)
        [span] = telemetry.spans()
        assert span.status.status_code is StatusCode.ERROR
        [event] = span.events
        assert "404" in str((event.attributes or {})["exception.message"])
        with pytest.raises(aioclient.ClientConnectorError):
            await session.get("http://127.0.0.1:1/")
        [span] = telemetry.spans()
        assert span.status.description == "ConnectError"


async def test_metrics(telemetry: Telemetry) -> None:
    """The duration of each call is measured."""
    async with (
        RawServer.replies([OK], repeat=True) as server,
        aioclient.ClientSession(server.url(), trace_configs=[telemetry.config]) as session,
    ):
        for _ in range(2):
            async with session.get("/") as response:
                await response.read()
    data = telemetry.reader.get_metrics_data()
    assert data is not None
    [metric] = data.resource_metrics[0].scope_metrics[0].metrics
    assert metric.name == "http.client.duration"
    [point] = metric.data.data_points
    assert point.count == 2


async def test_nobody_else_is_told(telemetry: Telemetry) -> None:
    """A config that listens to the call alone leaves the way of its bodies as it is."""
    async with (
        RawServer.replies([OK]) as server,
        aioclient.ClientSession(server.url(), trace_configs=[telemetry.config]) as session,
        session.post("/", data=b"body") as response,
    ):
        assert type(response.content) is aioclient.StreamReader
