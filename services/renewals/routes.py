"""Paying an invoice by hand; and how far plans were followed, so that a reader can wait for effects of its own."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Request, Response

from contracts.plan_actions import Privilege
from contracts.plan_commands import PayInvoiceBody
from contracts.problems import Refused
from contracts.topics import Owner
from services.chassis import http
from services.chassis.asked import ID, answer, asked
from services.chassis.auth import Caller
from services.chassis.consumer import Consumer
from services.chassis.event_store import EventStore

from .ledger import Ledger

WAIT_S = 2.0


router = APIRouter()


@router.post("/api/v1/accounts/{account_id}/invoices/{invoice_id}/pay", summary="Pay an invoice now")
async def pay_invoice(
    account_id: str,
    invoice_id: str,
    request: Request,
    caller: Annotated[Caller, Depends(http.caller)],
) -> Response:
    """Tries to collect what is left to pay. The answer tells what was recorded: a success, or a failure with the day of
    the next try."""
    privileges = caller.privileges_in(account_id)
    caller.require(account_id, Privilege.INFORMATION_EDIT)
    if not ID.fullmatch(account_id) or not ID.fullmatch(invoice_id):
        raise Refused("invoice_not_found")
    body = await http.json_body(PayInvoiceBody)(request)
    ledger: Ledger = request.state.ledger
    wish = asked(request, caller, account_id, privileges, "pay", body)
    return answer(Owner.RENEWALS, await ledger.pay(wish, invoice_id))


@router.get("/consumed", summary="Wait until an event of another owner has had its effects here")
async def consumed(
    request: Request,
    caller: Annotated[Caller, Depends(http.caller)],
    owner: Literal[Owner.PLANS],  # the only one followed
    account_id: str,
    position: Annotated[int, Query(ge=0, le=2**63 - 1)],
) -> dict[str, int]:
    """The position of this log by which the effects of the owner's event at `position` are recorded.

    503 read_model_behind when that takes longer than WAIT_S.
    """
    caller.privileges_in(account_id)
    consumer: Consumer = request.state.consumer
    store: EventStore = request.state.store
    if not await consumer.wait_for(owner, account_id, position, WAIT_S):
        raise Refused("read_model_behind")
    return {"position": await store.head()}
