"""A plans service that runs through a whole test module; each test begins on June 1 and makes plans of its own."""

from collections.abc import AsyncIterator

import pytest

from tests.chassis.tokens import Issuer
from tests.plans.portal import JUNE_1_IN_NEW_YORK, Customer, SetClock, plans_service


@pytest.fixture(scope="module")
async def service(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Customer]:
    async with plans_service(tmp_path_factory.mktemp("plans"), Issuer(), SetClock()) as customer:
        yield customer


@pytest.fixture
def customer(service: Customer) -> Customer:
    service.clock.at = JUNE_1_IN_NEW_YORK
    return service
