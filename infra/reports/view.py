"""From what is recorded of a release to what its page shows; pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from infra.reports.plots import Bar, Line, LinePlot, bars, line_plot, number, spans

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

PERCENTILE = re.compile(r"^p\d+(_\d+)?_ms$")
GOOD_VERDICTS = {"ok", "passed", "fine"}
ORDER = {"fail": 0, "open": 1, "pass": 2}
MILLISECONDS = re.compile(r"(_ms|^milliseconds)$")
UNKNOWN_VERDICTS = {"cannot tell", "warning"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows under columns; `verdicts` has a mark ("pass", "fail", "open") and a word per row, or nothing at all."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    verdicts: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A page, section by section; what was not measured is None or empty."""

    title: str
    verdict: str
    headline: str
    reason: str
    facts: Sequence[tuple[str, str]]
    warnings: Sequence[str]
    checks: Table
    load: Table
    missed: Sequence[str]
    load_bars: Sequence[Bar]
    regression: Table
    resources: Table
    plots: Sequence[LinePlot]
    certificate: Sequence[tuple[str, str]]
    losses: Table
    by_release: Sequence[Bar]
    timeline: Sequence[Bar]


def view_of(document: Mapping[str, Any]) -> View:
    """Return the page of a release's document."""
    verdict, headline = _headline(document)
    certificate = document.get("certificate") or {}
    resources = document.get("resources") or {}
    load = _load_rows(document.get("load") or [])
    return View(
        title=f"{document['release']} on {document['stack']}",
        verdict=verdict,
        headline=headline,
        reason=str(document.get("reason") or ""),
        facts=_facts(document),
        warnings=[str(warning) for warning in document.get("warnings") or []],
        checks=_checks(document.get("checks") or []),
        load=table_of(load, verdict="verdict"),
        missed=[text_of(missed) for run in document.get("load") or [] for missed in run.get("missed") or []],
        load_bars=_load_bars(load),
        regression=table_of(document.get("regression") or [], verdict="verdict"),
        resources=table_of(
            sorted(resources.get("verdicts") or [], key=lambda row: ORDER[_mark(row["verdict"])]), verdict="verdict"
        ),
        plots=_plots(resources.get("containers") or [], document.get("max_memory_percent")),
        certificate=_certificate(certificate),
        losses=table_of(certificate.get("losses") or []),
        by_release=bars(certificate.get("by_release") or {}, "requests"),
        timeline=spans(document.get("timeline") or {}),
    )


def table_of(rows: Sequence[Mapping[str, Any]], *, verdict: str = "") -> Table:
    """Return rows with whatever columns they have besides the verdict; what is empty in every row is left out."""
    columns = list(dict.fromkeys(key for row in rows for key in row if key != verdict))
    cells = [{column: _cell(column, row.get(column)) for column in columns} for row in rows]
    used = [column for column in columns if any(cell[column] for cell in cells)]
    return Table(
        columns=[column.replace("_", " ") for column in used],
        rows=[[cell[column] for column in used] for cell in cells],
        verdicts=[(_mark(row.get(verdict)), str(row.get(verdict))) for row in rows] if verdict else (),
    )


def text_of(value: object) -> str:
    """Return a value for people, empty for none."""
    if value is None or value is False:
        return ""
    if value is True:
        return "yes"
    if isinstance(value, dict):
        return ", ".join(f"{key}: {text_of(item)}" for key, item in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(text_of(item) for item in value)
    return number(value) if isinstance(value, int | float) else str(value)


def _cell(name: str, value: object) -> str:
    """Return a named figure for people: milliseconds to a tenth, any other as it is."""
    is_time = MILLISECONDS.search(name) and isinstance(value, int | float)
    return f"{value:,.1f}" if is_time else text_of(value)


def _headline(document: Mapping[str, Any]) -> tuple[str, str]:
    """Return verdict and headline; what serves is said only where it was seen."""
    restored = document.get("restored")
    after_revert = f"not released; {restored} serves again" if restored else "not released; the reason says what serves"
    if restored == document["release"]:
        after_revert = "not verified again; it goes on serving"
    is_current = document.get("is_current", True)  # without a word: as its own update wrote it
    released = "verified, committed and serving" if is_current else "verified and committed; not the current release"
    headlines = {
        "released": ("PASSED", released),
        "reverted": ("FAILED", after_revert),
        "lossy": ("FAILED", "committed, but requests were lost after that"),
        "unfinished": ("FAILED", "its update ended before the driver could report; `pulumi up` says why"),
    }
    return headlines[document["outcome"]]


def _mark(verdict: object) -> str:
    word = str(verdict).lower()
    return "pass" if word in GOOD_VERDICTS else "open" if word in UNKNOWN_VERDICTS else "fail"


def _facts(document: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return what kind of release it was, for the head of the page."""
    names = ("release", "version", "previous", "stack", "strategy", "run_id", "started_at", "ended_at")
    facts = [(name.replace("_", " "), str(document[name])) for name in names if document.get(name)]
    return facts + [(f"image {name}", str(pinned)) for name, pinned in (document.get("images") or {}).items()]


def _checks(checks: Iterable[Mapping[str, Any]]) -> Table:
    """Return the checks, failed ones first."""
    rows = [
        {**{key: value for key, value in row.items() if key not in {"passed", "severity"}}, "verdict": _word(row)}
        for row in sorted(checks, key=lambda row: bool(row.get("passed")))
    ]
    return table_of(rows, verdict="verdict")


def _word(row: Mapping[str, Any]) -> str:
    """Return the verdict of a check or a load test in a word."""
    if row.get("passed"):
        return "passed"
    return "warning" if row.get("severity") == "warning" else "FAILED"


def _load_rows(load: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return one row per endpoint of every run, or per run where it has no endpoints of its own."""
    found: list[dict[str, Any]] = []
    for run in load:
        common = {"verdict": _word({"passed": True, **run}), "profile": run.get("profile", "")}
        plain = {key: value for key, value in run.items() if key != "passed" and not isinstance(value, list | dict)}
        found += [{**common, **endpoint} for endpoint in run.get("endpoints") or []] or [{**common, **plain}]
    return found


def _load_bars(rows: Iterable[Mapping[str, Any]]) -> list[Bar]:
    """Return the latencies of all load runs beside each other."""
    figures: dict[str, float] = {}
    for row in rows:
        name = " ".join(str(row[key]) for key in ("script", "profile", "scenario", "endpoint") if row.get(key))
        for key, value in row.items():
            if PERCENTILE.match(key) and isinstance(value, int | float):
                figures[f"{name} {key.removesuffix('_ms').replace('_', '.')}"] = value
    return bars(figures, "ms", decimals=1)


def _certificate(certificate: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the figures of the certificate in words."""
    if not certificate:
        return []
    labels = {
        "sent": "requests sent",
        "answered": "answered",
        "failed": "lost by the server",
        "own": "lost by the runner itself",
        "slow": "slow answers",
        "longest_gap_ms": "longest gap of a route (ms)",
        "p50_ms": "p50 (ms)",
        "p99_ms": "p99 (ms)",
        "rate": "requests per second",
        "from": "from",
        "to": "to",
    }
    return [(label, _cell(key, certificate[key])) for key, label in labels.items() if key in certificate]


def _plots(containers: Iterable[Mapping[str, Any]], memory_limit: float | None) -> list[LinePlot]:
    """Return memory, CPU and connections of each service, one line per container."""
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for container in containers:
        groups.setdefault(container["service"], []).append(container)
    measures = (
        ("memory", "%", memory_limit, _memory_percents),
        ("CPU", "% of one", None, lambda container: container["cpu_percent"]),
        ("connections", "open", None, lambda container: container["connections"]),
    )
    found = (
        line_plot(f"{service}: {measure}", unit, [_line(each, values(each)) for each in members], limit=limit)
        for service, members in groups.items()
        for measure, unit, limit, values in measures
    )
    return [plot for plot in found if plot is not None]


def _line(container: Mapping[str, Any], values: Sequence[float | None]) -> Line:
    points = [(at, value) for at, value in zip(container["at_seconds"], values, strict=True) if value is not None]
    return Line(label=f"{container['name']} on {container['host']}", points=points)


def _memory_percents(container: Mapping[str, Any]) -> list[float]:
    limit = container["memory_limit_bytes"] or 1
    return [100 * value / limit for value in container["memory_bytes"]]
