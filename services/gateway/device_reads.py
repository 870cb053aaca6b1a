"""The reads of Device Management. What may be done with an order changes by the second, so no answer is kept."""

from starlette.requests import Request
from starlette.responses import Response

from . import devices
from .answers import DeviceLease, DeviceLeases, DeviceOrder, DeviceOrders
from .cards import opened
from .projections import device_lease, device_order
from .reads import Asked, admitted, as_response, unless_known


async def read_device_orders(request: Request) -> Response:
    of = await admitted(request)
    rows = await of.reads.store.rows_of(device_order.TABLE, of.account_id)
    answer = DeviceOrders(account_id=of.account_id, orders=[_order(of, row) for row in rows])
    return unless_known(request, as_response(answer))


async def read_device_order(request: Request) -> Response:
    of = await admitted(request)
    row = await of.own(device_order.TABLE, request.path_params["order_id"], "order_not_found")
    answer = _order(of, row)
    return as_response(answer, f'"{answer.revision}"')


async def read_leases(request: Request) -> Response:
    of = await admitted(request)
    rows = await of.reads.store.rows_of(device_lease.TABLE, of.account_id)
    answer = DeviceLeases(account_id=of.account_id, leases=[_lease(of, row) for row in rows])
    return unless_known(request, as_response(answer))


async def read_lease(request: Request) -> Response:
    of = await admitted(request)
    row = await of.own(device_lease.TABLE, request.path_params["lease_id"], "lease_not_found")
    answer = _lease(of, row)
    return as_response(answer, f'"{answer.revision}"')


def _order(of: Asked, row: bytes) -> DeviceOrder:
    return devices.order(opened(row), of.reads.clock.now(), of.privileges, of.holds())


def _lease(of: Asked, row: bytes) -> DeviceLease:
    return devices.lease(opened(row), of.today, of.privileges)
