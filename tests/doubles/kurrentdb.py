"""A double of KurrentDB: a gRPC server on the servicer classes in the client's wheel, so that the real client runs.

It speaks what the client uses of Streams (BatchAppend; Read of a stream, of $all with filters by stream name, and
subscriptions to $all) and Gossip (who leads). Several nodes may serve one log; restarted, a node has kept it.

It proves that our code uses the client rightly: expectations, retries, what is done when an answer is lost or a
subscription ends. It does not prove what a server does: durability, elections, replication, access control, limits,
speed. Its answers follow the server's source (StorageWriterService, IndexWriter.CheckCommit, AllReader, Streams.Read);
`--engines=docker` or `external` runs the same contract on a real one.
"""

import asyncio
import re
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from typing import Any
from uuid import uuid4

import grpc
from google.protobuf import any_pb2, empty_pb2
from kurrentdbclient.protos.v1 import (
    gossip_pb2,
    gossip_pb2_grpc,
    shared_pb2,
    status_pb2,
    streams_pb2,
    streams_pb2_grpc,
)

from .kurrent_log import Conflict, KurrentLog, Proposed, Stored

Resp = streams_pb2.ReadResp
Context = Any  # grpc.aio.ServicerContext
Fault = Callable[
    ["KurrentDouble", Context, streams_pb2.BatchAppendReq], Awaitable[Sequence[streams_pb2.BatchAppendResp]]
]


class KurrentDouble(streams_pb2_grpc.StreamsServicer):
    """One node. `appends`: how each of the next appends misbehaves, first come first served. `members`: the nodes of
    its cluster. leader: the node that takes appends and answers who asks for the leader; itself unless told otherwise.
    """

    def __init__(self, log: KurrentLog | None = None, credentials: grpc.ServerCredentials | None = None) -> None:
        self.log = log or KurrentLog()
        self.members: list[KurrentDouble] = [self]
        self.leader: KurrentDouble = self
        self.port = 0
        self.appends: deque[Fault] = deque()
        self.reads_cut_after: deque[int] = deque()  # events after which each of the next reads breaks off
        self.repeats = False  # whether every event of a subscription is sent twice
        self.in_a_transaction = False  # whether events of $all share a commit position
        self.requests: list[str] = []
        self.authorization = b""  # what a request must have in that header, if anything
        self._credentials = credentials
        self._server: grpc.aio.Server | None = None
        self._ended = asyncio.Event()

    @property
    def uri(self) -> str:
        return f"kurrentdb://127.0.0.1:{self.port}?Tls=false"

    async def start(self) -> None:
        """At the port it had before, if it had one."""
        self._ended = asyncio.Event()
        options = (
            ("grpc.so_reuseport", 0),
            ("grpc.http2.min_ping_interval_without_data_ms", 1_000),
            ("grpc.keepalive_permit_without_calls", 1),
        )
        self._server = grpc.aio.server(options=options)
        streams_pb2_grpc.add_StreamsServicer_to_server(self, self._server)
        gossip_pb2_grpc.add_GossipServicer_to_server(_Gossip(self), self._server)
        where = f"127.0.0.1:{self.port}"
        add = self._server.add_secure_port if self._credentials else self._server.add_insecure_port
        self.port = add(where, self._credentials) if self._credentials else add(where)
        await self._server.start()

    async def stop(self) -> None:
        """At once, in the middle of whatever it does. The log stays."""
        if self._server:
            server, self._server = self._server, None
            await server.stop(None)

    def end_subscriptions(self) -> None:
        """Ends every running subscription as if that were no failure."""
        self._ended.set()
        self._ended = asyncio.Event()

    # Streams

    async def BatchAppend(  # noqa: N802
        self, requests: AsyncIterator[streams_pb2.BatchAppendReq], context: Context
    ) -> AsyncIterator[streams_pb2.BatchAppendResp]:
        await self._admit(context)
        async for request in requests:
            self.requests.append("append")
            fault = self.appends.popleft() if self.appends else None
            for answer in [self.appended(request)] if fault is None else await fault(self, context, request):
                yield answer

    def appended(self, request: streams_pb2.BatchAppendReq) -> streams_pb2.BatchAppendResp:
        options = request.options
        expected = options.stream_position if options.HasField("stream_position") else -1
        assert options.WhichOneof("expected_stream_position") in {"stream_position", "no_stream"}, "an indefinite one"
        events = [
            Proposed(m.id.string, m.metadata["type"], m.metadata["content-type"], m.custom_metadata, m.data)
            for m in request.proposed_messages
        ]
        try:
            last = self.log.append(options.stream_identifier.stream_name.decode(), events, expected)
        except Conflict as conflict:
            return answer(request, error=error(_conflict(conflict.current, expected)))
        position = shared_pb2.AllStreamPosition(commit_position=last.position, prepare_position=last.position)
        success = streams_pb2.BatchAppendResp.Success(current_revision=last.revision, position=position)
        return answer(request, success=success)

    async def Read(self, request: streams_pb2.ReadReq, context: Context) -> AsyncIterator[Resp]:  # noqa: N802
        await self._admit(context)
        options = request.options
        kind = options.WhichOneof("count_option") if options.HasField("all") else "stream"
        self.requests.append(kind)
        found = {"stream": self._stream, "count": self._all, "subscription": self._subscription}[kind](options, context)
        left = self.reads_cut_after.popleft() if self.reads_cut_after else -1
        async for response in found:
            if response.HasField("event"):
                if not left:
                    await context.abort(grpc.StatusCode.UNAVAILABLE, "the connection was lost")
                left -= 1
            yield response

    async def _stream(self, options: streams_pb2.ReadReq.Options, _: Context) -> AsyncIterator[Resp]:
        identifier = options.stream.stream_identifier
        present = self.log.streams.get(identifier.stream_name.decode())
        if present is None:
            yield Resp(stream_not_found=Resp.StreamNotFound(stream_identifier=identifier))
            return
        backwards = options.read_direction == streams_pb2.ReadReq.Options.Backwards
        chosen = present[::-1] if backwards else present[options.stream.revision :]
        for stored in chosen[: options.count]:
            yield _event(stored)

    async def _all(self, options: streams_pb2.ReadReq.Options, context: Context) -> AsyncIterator[Resp]:
        backwards = options.read_direction == streams_pb2.ReadReq.Options.Backwards
        begin = None if options.all.HasField("start") or backwards else options.all.position.commit_position - 1
        if begin is not None and not self.log.holds(begin + 1):
            await context.abort(grpc.StatusCode.UNKNOWN, "Unexpected FilteredReadAllResult: InvalidPosition")
        chosen = _wanted(options, self.log.events[::-1] if backwards else self.log.read(begin))
        for count, stored in enumerate(chosen, 1):
            yield _event(stored, self.log.events[-1].position if self.in_a_transaction else stored.position)
            if count == options.count:
                break

    async def _subscription(self, options: streams_pb2.ReadReq.Options, _: Context) -> AsyncIterator[Resp]:
        ended = self._ended
        after = None if options.all.HasField("start") else options.all.position.commit_position
        yield Resp(confirmation=Resp.SubscriptionConfirmation(subscription_id=str(uuid4())))
        told = False
        while not ended.is_set():
            grown = self.log.grown
            known = self.log.read(after)
            for stored in _wanted(options, known):
                for _again in range(2 if self.repeats else 1):
                    yield _event(stored)
            if known:
                after = known[-1].position
                yield Resp(checkpoint=Resp.Checkpoint(commit_position=after, prepare_position=after))
            if not told:
                told = True
                yield Resp(caught_up=Resp.CaughtUp())  # with position 0, as the server may
            waits = [asyncio.ensure_future(grown.wait()), asyncio.ensure_future(ended.wait())]
            try:
                await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for wait in waits:
                    wait.cancel()

    async def _admit(self, context: Context) -> None:
        asked = dict(context.invocation_metadata())
        if self.authorization and asked.get("authorization", "").encode() != self.authorization:
            await context.abort(grpc.StatusCode.UNAUTHENTICATED, "the credentials are wrong")
        if asked.get("requires-leader") == "true" and self.leader is not self:
            context.set_trailing_metadata(
                (("leader-endpoint-host", "127.0.0.1"), ("leader-endpoint-port", str(self.leader.port)))
            )
            await context.abort(grpc.StatusCode.NOT_FOUND, "Leader info available")


class _Gossip(gossip_pb2_grpc.GossipServicer):  # beside: both services call their method Read
    def __init__(self, node: KurrentDouble) -> None:
        self._node = node

    async def Read(self, _: shared_pb2.Empty, __: Context) -> gossip_pb2.ClusterInfo:  # noqa: N802
        states = gossip_pb2.MemberInfo
        return gossip_pb2.ClusterInfo(
            members=[
                gossip_pb2.MemberInfo(
                    state=states.Leader if member is self._node.leader else states.Follower,
                    is_alive=True,
                    http_end_point=gossip_pb2.EndPoint(address="127.0.0.1", port=member.port),
                )
                for member in self._node.members
            ]
        )


def answer(request: streams_pb2.BatchAppendReq, **result: Any) -> streams_pb2.BatchAppendResp:
    return streams_pb2.BatchAppendResp(
        correlation_id=request.correlation_id, stream_identifier=request.options.stream_identifier, **result
    )


def _conflict(current: int, expected: int) -> shared_pb2.WrongExpectedVersion:
    there = {"current_no_stream": empty_pb2.Empty()} if current < 0 else {"current_stream_revision": current}
    wanted = {"expected_no_stream": empty_pb2.Empty()} if expected < 0 else {"expected_stream_position": expected}
    return shared_pb2.WrongExpectedVersion(**there, **wanted)


def error(details: Any) -> status_pb2.Status:
    packed = any_pb2.Any()
    packed.Pack(details)
    return status_pb2.Status(details=packed)


def _wanted(options: streams_pb2.ReadReq.Options, events: Sequence[Stored]) -> Iterator[Stored]:
    expression = options.filter.stream_identifier
    assert options.WhichOneof("filter_option") == "filter", "would read everybody's events"
    if expression.regex:
        return (stored for stored in events if re.search(expression.regex, stored.stream))
    return (stored for stored in events if stored.stream.startswith(tuple(expression.prefix)))


def _event(stored: Stored, commit_position: int = 0) -> Resp:
    event = stored.event
    recorded = Resp.ReadEvent.RecordedEvent(
        id=shared_pb2.UUID(string=event.event_id),
        stream_identifier=shared_pb2.StreamIdentifier(stream_name=stored.stream.encode()),
        stream_revision=stored.revision,
        prepare_position=stored.position,
        commit_position=commit_position or stored.position,
        metadata={"type": event.type, "content-type": event.content_type, "created": "17639000000000000"},
        custom_metadata=event.metadata,
        data=event.data,
    )
    return Resp(event=Resp.ReadEvent(event=recorded, commit_position=stored.position))
