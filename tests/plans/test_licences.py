"""Licences and who has them: never more than there are, never the same person twice (DOMAIN B4)."""

from contracts.plans import LicenceAssigned, LicenceUnassigned
from tests.plans.given import (
    JULY_1,
    VIEWER,
    assign,
    cancel,
    edit,
    pro_monthly,
    unassign,
    with_assigned,
)


def test_a_licence_is_given_to_a_person_and_taken_back() -> None:
    given = pro_monthly(2)
    assert given.when(assign("person-7")).then(LicenceAssigned).assignee == "person-7"
    given = given.after(assign("person-7"))
    assert given.known().assigned == {"person-7"}
    assert given.when(unassign("person-7")).then(LicenceUnassigned).assignee == "person-7"
    assert given.after(unassign("person-7")).known().assigned == frozenset()


def test_nobody_has_two_licences_of_a_plan() -> None:
    pro_monthly(2).after(assign("person-7")).when(assign("person-7")).then_refused("no_change")


def test_only_a_licence_somebody_has_is_taken_back() -> None:
    pro_monthly(2).when(unassign("person-7")).then_refused("no_change")
    with_assigned(1, 2).when(unassign("person-7")).then_refused("no_change")


def test_no_more_licences_are_assigned_than_there_are() -> None:
    full = with_assigned(2, 2)
    full.when(assign("person-7")).then_refused("all_licences_assigned")
    full.after(edit(3)).when(assign("person-7")).then(LicenceAssigned)
    full.after(unassign("person-1")).when(assign("person-7")).then(LicenceAssigned)


def test_licences_are_assigned_until_a_cancelled_plan_ends_and_while_another_is_renewed() -> None:
    pro_monthly().after(cancel()).when(assign()).then(LicenceAssigned)
    pro_monthly().after(cancel()).when(assign(on=JULY_1)).then_refused("plan_ended")
    pro_monthly().when(assign(on=JULY_1)).then(LicenceAssigned)


def test_a_pending_reduction_takes_no_licence_from_anybody_yet() -> None:
    given = with_assigned(2, 3).after(edit(2)).after(assign("person-7"))
    assert len(given.known().assigned) == 3  # checked again when it takes effect


def test_who_may_only_look_assigns_nothing() -> None:
    pro_monthly().when(assign(privileges=VIEWER)).then_refused("forbidden")
    with_assigned(1).when(unassign("person-0", privileges=VIEWER)).then_refused("forbidden")
