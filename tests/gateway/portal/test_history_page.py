"""History in the portal: what caused an event and what it caused, a click away; and the whole of it as a file."""

import json
from dataclasses import replace
from pathlib import Path

from contracts.topics import Owner
from tests.gateway.gateway import gateway
from tests.gateway.history import started

from .visitor import Visitor


async def test_an_event_leads_to_its_cause_and_to_its_effects(tmp_path: Path) -> None:
    history = started()
    cause, told = history.logs[Owner.PLANS][-1], history.logs[Owner.RENEWALS]
    told[-1] = replace(told[-1], metadata={**told[-1].metadata, "causation_id": cause.event_id})
    async with gateway(tmp_path) as opened:
        await opened.show(history)
        page = (await Visitor(opened, "auditor").get("/a/acme/history")).text
    after_effects, after_cause = page.partition("<dt>Effects</dt>")[2], page.partition("<dt>Caused by</dt>")[2]
    assert after_effects.startswith(f'<dd><a href="#entry-{told[-1].event_id}">')
    assert page.count("<dt>Effects</dt>") == 1
    assert f'<dd><a href="#entry-{cause.event_id}">Plan started: ' in after_cause
    assert "<dd>a command, " in page


async def test_the_page_leads_to_files_of_the_whole_history(tmp_path: Path) -> None:
    async with gateway(tmp_path) as opened:
        await opened.show(started())
        auditor = Visitor(opened, "auditor")
        page = (await auditor.get("/a/acme/history")).text
        for form in ("csv", "jsonl"):
            assert f'href="/a/acme/history.{form}"' in page
        lines = (await auditor.get("/a/acme/history.jsonl")).text.splitlines()
        assert json.loads(lines[-1])["events"] == len(lines) - 1 > 0
        rows = (await auditor.get("/a/acme/history.csv")).text
        assert rows.startswith("recorded_at,effective_on,said,")
        refused = await Visitor(opened, "owner").get("/a/acme/history.csv")
        assert refused.status_code == 403
