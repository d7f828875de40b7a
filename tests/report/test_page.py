"""The report: complete, self-contained, well-formed, the same for the same data."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from html.parser import HTMLParser

import pytest

from fermobile.report.content import ReportData
from fermobile.report.page import build_page
from fermobile.report.sections import build_sections

Browser = Callable[[str], tuple[int, list[str], list[str]]]
VOID = {"meta", "link", "img", "br", "hr", "input"}
TITLES = [
    "Verdict", "Learning curves", "F1 per class", "Confusion matrices", "Precision and recall per action unit",
    "Drift: float to int8", "Calibration", "Faces", "Contract", "Provenance and commands",
]  # fmt: skip


class Reader(HTMLParser):
    """Fails on a tag that is not closed; collects what the page refers to and what each image says."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.count: dict[str, int] = {}
        self.references: list[str] = []
        self.images: list[dict[str, str | None]] = []
        self.ids: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.count[tag] = self.count.get(tag, 0) + 1
        self.references += [v or "" for k, v in attrs if k in ("src", "href", "xlink:href", "srcset", "action", "data")]
        if "id" in found:
            self.ids.append(found["id"] or "")
        if tag == "img" or found.get("role") == "img":
            self.images.append(found)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag, f"</{tag}> closes another tag"


@pytest.fixture(scope="module")
def html(report_data: ReportData) -> str:
    return build_page(report_data.title, "MobileNet v1", build_sections(report_data))


def test_all_sections_stand_in_their_order(html: str) -> None:
    assert re.findall(r"<h2>(.*?)</h2>", html) == TITLES


def test_the_page_is_well_formed_and_asks_nothing_of_the_network(html: str) -> None:
    page = Reader(html)
    assert page.open == []
    assert {r for r in page.references if not r.startswith(("data:", "#"))} == set()
    assert not re.search(r"https?://|//cdn|@import|url\((?!#)", html)
    assert "script" not in page.count
    assert len(page.ids) == len(set(page.ids))
    targets = {r[1:] for r in page.references if r.startswith("#")} | set(re.findall(r"url\(#([^)]+)\)", html))
    assert targets <= set(page.ids)


def test_every_picture_says_what_it_shows(html: str) -> None:
    page = Reader(html)
    # learning 2, F1 2, drift 2, calibration 1, one per action unit
    assert page.count["svg"] == 7 + 6
    assert len(page.images) == page.count["svg"] + 9 + 1
    assert all(image.get("alt") or image.get("aria-label") for image in page.images)


def test_colours_follow_the_theme(html: str) -> None:
    svg = "".join(re.findall(r"<svg.*?</svg>", html, flags=re.S))
    assert "var(--series-1)" in svg
    assert "var(--series-2)" in svg
    assert not re.search(r"(fill|stroke): #(?!fff)", svg), "a colour that would not follow light and dark"


def test_what_came_from_outside_is_escaped(html: str) -> None:
    assert "synth &lt;1&gt;" in html
    assert "synth <1>" not in html


def test_a_missed_gate_is_said_first(html: str, report_data: ReportData) -> None:
    assert "A gate was missed" in html
    met = dataclasses.replace(report_data, gates=report_data.gates[:1])
    assert "All gates met" in build_page("t", "s", build_sections(met))


def test_the_same_data_gives_the_same_bytes(html: str, report_data: ReportData) -> None:
    assert build_page(report_data.title, "MobileNet v1", build_sections(report_data)) == html


def test_sections_without_data_are_left_out(report_data: ReportData) -> None:
    sections = build_sections(ReportData(title="bare", contract=report_data.contract))
    assert [s.title for s in sections] == ["Contract", "Provenance and commands"]


def test_a_model_with_emotions_only(report_data: ReportData) -> None:
    contract = report_data.contract.replace(action_units=(), thresholds={}, outputs=("emotion",))
    models = [dataclasses.replace(m, heads={"emotion": m.heads["emotion"]}) for m in report_data.models]
    data = dataclasses.replace(
        report_data, contract=contract, models=models, labels={"emotion": report_data.labels["emotion"]}
    )
    titles = [s.title for s in build_sections(data)]
    assert "Precision and recall per action unit" not in titles
    assert "Confusion matrices" in titles


@pytest.mark.slow
def test_chromium_opens_it_without_a_request_or_a_complaint(html: str, opened_in_chromium: Browser) -> None:
    assert opened_in_chromium(html) == (len(TITLES), [], [])


@pytest.mark.slow
def test_the_look_through_chromium_would_see_both(opened_in_chromium: Browser) -> None:
    page = '<section></section><img src="http://127.0.0.1:9/x.png"><script>console.error("no")</script>'
    sections, requests, complaints = opened_in_chromium(page)
    assert sections == 1
    assert requests
    assert any("no" in c for c in complaints)
