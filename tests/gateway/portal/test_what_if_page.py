"""The page What if: a form that is asked with GET, and the invoices with a change beside those without."""

import re

from tests.gateway.gateway import Gateway
from tests.gateway.test_what_if import portal  # noqa: F401  the fixture

from .visitor import Visitor

PAGE = "/a/acme/what-if"


async def test_the_form_offers_every_plan_and_what_is_for_sale(portal: tuple[Gateway, str]) -> None:  # noqa: F811
    answer = await Visitor(portal[0], "owner").get(PAGE)
    assert answer.status_code == 200
    offered = re.findall(r'<option value="([^"]*)"', answer.text)
    assert {"", "edit b1", "cancel b1", "plans workplace_pro monthly"} <= set(offered)
    assert "Choose a change" in answer.text
    assert not portal[0].plans.asked


async def test_a_new_plan_is_shown_with_its_invoices_and_without(portal: tuple[Gateway, str]) -> None:  # noqa: F811
    answer = await Visitor(portal[0], "owner").get(
        f"{PAGE}?change=plans+workplace_pro+monthly&quantity=2&months=6&later=0"
    )
    assert answer.status_code == 200
    shown = re.sub(r"<[^>]+>", " ", answer.text)
    assert "In sum, taxes included" in shown
    assert re.search(r"Workplace Pro", shown[shown.index("Difference") :])
    assert "nothing of this was recorded" in shown


async def test_what_would_be_refused_is_said(portal: tuple[Gateway, str]) -> None:  # noqa: F811
    answer = await Visitor(portal[0], "owner").get(f"{PAGE}?change=plans+workplace_pro+monthly&quantity=99999&months=6")
    assert "would be refused" in answer.text


async def test_what_is_offered_no_longer_is_not_asked_for(portal: tuple[Gateway, str]) -> None:  # noqa: F811
    answer = await Visitor(portal[0], "owner").get(f"{PAGE}?change=cancel+b9&months=6")
    assert "There is nothing at this address" in answer.text
    assert not portal[0].plans.asked


async def test_it_is_not_for_who_may_not_see_invoices(portal: tuple[Gateway, str]) -> None:  # noqa: F811
    answer = await Visitor(portal[0], "viewer").get(f"{PAGE}?months=3")
    assert "for who may see invoices" in answer.text
    assert "What if" not in (await Visitor(portal[0], "viewer").get("/a/acme/plan-management")).text
    assert f'href="{PAGE}"' in (await Visitor(portal[0], "owner").get("/a/acme/plan-management")).text
