"""Who reads an account's audit log is in the log: once a day for each reader and way."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

from contracts.plan_actions import Privilege
from tests.chassis.tokens import Issuer
from tests.plans.portal import Customer, SetClock, done, plans_service, problem

AUDITOR = [Privilege.AUDIT_READ]


async def reads(customer: Customer, way: str = "page") -> Any:
    return await customer.send("POST", f"/accounts/{customer.account_id}/history-readings", {"way": way})


async def test_a_reading_is_recorded_once_a_day_with_its_reader(tmp_path: Path) -> None:
    clock = SetClock()
    async with plans_service(tmp_path, Issuer(), clock) as customer:
        done(await customer.open())
        auditor = customer.as_other("acme", acme=AUDITOR)
        first = done(await reads(auditor))
        at_once = await asyncio.gather(*(reads(auditor) for _ in range(3)))
        assert [done(answer) for answer in at_once] == [first] * 3
        assert [event["data"] for event in first["events"]] == [{"way": "page"}]
        assert done(await reads(auditor, "csv"))["revision"] == 1  # of the day's stream
        clock.at += timedelta(days=1)
        tomorrow = done(await reads(auditor))
        assert tomorrow["position"] != first["position"]
        assert (tomorrow["revision"], tomorrow["stream"] != first["stream"]) == (0, True)


async def test_only_who_may_read_is_recorded_and_only_of_accounts_there_are(customer: Customer) -> None:
    done(await customer.open())
    assert problem(await reads(customer.as_other("acme", acme=[Privilege.SUBSCRIPTION_READ]))) == "forbidden"
    assert problem(await reads(customer.as_other("acme", globex=AUDITOR))) == "account_not_found"
    everywhere: dict[str, Any] = {"*": AUDITOR}
    assert problem(await reads(customer.as_other("nobody", **everywhere))) == "account_not_found"
    assert problem(await reads(customer.as_other("acme", acme=AUDITOR), "by heart")) == "invalid_request"
