"""How an append to the KurrentDB double may misbehave: put these into `appends`."""

import asyncio
from collections.abc import Sequence
from typing import Any

import grpc
from google.protobuf import empty_pb2
from kurrentdbclient.protos.v1 import shared_pb2
from kurrentdbclient.protos.v1.streams_pb2 import BatchAppendReq, BatchAppendResp

from .kurrentdb import Fault, KurrentDouble, answer, error

Context = Any  # grpc.aio.ServicerContext


async def times_out_after_writing(
    node: KurrentDouble, _: Context, request: BatchAppendReq
) -> Sequence[BatchAppendResp]:
    node.appended(request)
    return [answer(request, error=error(shared_pb2.Timeout()))]


async def times_out_before_writing(_: KurrentDouble, __: Context, request: BatchAppendReq) -> Sequence[BatchAppendResp]:
    return [answer(request, error=error(shared_pb2.Timeout()))]


async def loses_the_connection_after_writing(
    node: KurrentDouble, context: Context, request: BatchAppendReq
) -> Sequence[BatchAppendResp]:
    node.appended(request)
    await context.abort(grpc.StatusCode.UNAVAILABLE, "the connection was lost")
    return []


async def loses_the_connection_before_writing(
    _: KurrentDouble, context: Context, __: BatchAppendReq
) -> Sequence[BatchAppendResp]:
    await context.abort(grpc.StatusCode.UNAVAILABLE, "the connection was lost")
    return []


async def confirms_twice(node: KurrentDouble, _: Context, request: BatchAppendReq) -> Sequence[BatchAppendResp]:
    return [node.appended(request)] * 2


async def is_not_ready(_: KurrentDouble, __: Context, request: BatchAppendReq) -> Sequence[BatchAppendResp]:
    """As the server answers while it is becoming the leader."""
    not_ready = error(empty_pb2.Empty())
    not_ready.message = "Server Is Not Ready"
    return [answer(request, error=not_ready)]


async def does_not_know_where(node: KurrentDouble, _: Context, request: BatchAppendReq) -> Sequence[BatchAppendResp]:
    """As the server confirms a repetition whose original it cannot read now: with position -1, unsigned."""
    confirmed = node.appended(request)
    confirmed.success.position.commit_position = confirmed.success.position.prepare_position = 2**64 - 1
    return [confirmed]


async def refuses(_: KurrentDouble, __: Context, request: BatchAppendReq) -> Sequence[BatchAppendResp]:
    return [answer(request, error=error(shared_pb2.AccessDenied()))]


def writes_once_told(told: asyncio.Event, written: asyncio.Event) -> Fault:
    """Late: it writes when `told`, whether anybody still waits or not."""

    async def late(node: KurrentDouble, _: Context, request: BatchAppendReq) -> Sequence[BatchAppendResp]:
        async def write() -> BatchAppendResp:
            await told.wait()
            confirmed = node.appended(request)
            written.set()
            return confirmed

        return [await asyncio.shield(asyncio.ensure_future(write()))]

    return late
