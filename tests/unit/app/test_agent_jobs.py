from __future__ import annotations

import json
from dataclasses import asdict, replace

from acp_reference.agents.jobs import Job, decode
from acp_reference.agents.runner import final_prompt, round_prompt, sources_of

JOB = Job(id="j", question="Why?", rounds=3, pace_seconds=0, clarify=False, release="v1")
NOTE = {"query": "Why?", "thought": "Because.", "sources": [{"job_id": "d", "position": 0}]}


def test_a_job_survives_its_json() -> None:
    """What is stored is read again, also with keys that a newer release added."""
    job = replace(JOB, notes=(NOTE,), answers=({"text": "yes"},))

    assert decode(json.dumps({**asdict(job), "invented_later": 1})) == job


def test_progress_counts_rounds() -> None:
    """Progress rises by round, and is 100 only when completed."""
    assert JOB.progress == 0
    assert replace(JOB, notes=(NOTE,) * 3).progress == 75
    assert replace(JOB, notes=(NOTE,) * 3, status="completed").progress == 100


def test_sources_come_once_in_order() -> None:
    """A chunk found in several rounds is one source."""
    other = {**NOTE, "sources": [{"job_id": "e", "position": 1}, *NOTE["sources"]]}

    assert sources_of([NOTE, other]) == [{"job_id": "d", "position": 0}, {"job_id": "e", "position": 1}]


def test_prompts_have_what_is_known() -> None:
    """A round sees question, answers and excerpts; the end sees the notes."""
    prompt = round_prompt(replace(JOB, answers=({"text": "since May"},)), ["excerpt one"])

    assert all(part in prompt for part in ("Why?", "since May", "excerpt one"))
    assert "1. Because." in final_prompt(replace(JOB, notes=(NOTE,)))
