"""The report in a browser: what is seen, clicked and typed."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Locator, Page, expect

from stages.page import render
from tests.stages.page.conftest import Visit
from tests.stages.page.invented_document import SEVEN, document, empty, hostile, write

NO_SIDEWAYS = "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
HOSTILE = "<script>document.title = 'taken'</script>\"'><img src=x onerror=alert(1)>{{ 7 * 7 }}</script>"


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("report"), document())


@pytest.fixture(scope="module")
def comparison(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("comparison"), ("narrow", document()), ("wide", document(seed=3)))


def drawn(page: Page, number: int = 0) -> Locator:
    """Return the plot of a video's timeline once it is there."""
    plot = page.locator(f"#v{number} > .chart .plot")
    plot.scroll_into_view_if_needed()
    expect(plot.locator("svg")).to_be_visible()
    return plot


def test_the_first_screen_tells_the_scores_their_origin_and_what_they_mean(report: Path, visit: Visit) -> None:
    page = visit(report)
    expect(page.locator(".warning")).to_contain_text("invented")
    row = page.locator(".headline tbody tr").first
    assert row.inner_text().split() == ["spotting", "F1", "0.929", "0.877", "–", "0.974", "0.123", "0.934"]
    expect(page.locator(".origin")).to_contain_text("ferplus, 96 px")
    expect(page.locator(".origin")).to_contain_text("one to one")
    expect(page.locator(".origin table tbody tr").first).to_have_text("train.epochs4025")
    expect(page.locator(".runs tbody tr").nth(2)).to_contain_text("not made on this machine")
    expect(page.locator(".runs tbody tr").nth(3)).to_contain_text("and changes")
    assert page.locator(".runs").bounding_box()["y"] < 900


def test_every_chart_comes_alive_when_scrolled_to(report: Path, visit: Visit) -> None:
    page = visit(report)
    charts = page.locator("figure.chart[data-chart]")
    assert charts.count() == 5
    for number in range(charts.count()):
        charts.nth(number).scroll_into_view_if_needed()
        expect(charts.nth(number).locator("svg")).to_be_visible()


def test_far_away_timelines_give_back_what_they_hold(tmp_path: Path, visit: Visit) -> None:
    page = visit(write(tmp_path, document(videos=30, expressions=2, pictures=False)))
    drawn(page, 0)
    drawn(page, 29)
    expect(page.locator("#v0 .plot svg")).to_have_count(0)
    assert page.locator(".video .plot svg").count() < 20


def test_enter_opens_the_case_that_arrows_lead_to_and_escape_closes_it(report: Path, visit: Visit) -> None:
    page = visit(report)
    plot = drawn(page)
    expect(plot).to_have_accessible_name(re.compile("Timeline of p01_1: 10 cases"))
    plot.focus()
    page.keyboard.press("ArrowRight")
    hint = page.locator("#hint")
    expect(hint).to_contain_text("frames")
    expect(hint).to_contain_text("confidence")
    first = hint.inner_text()
    page.keyboard.press("ArrowRight")
    assert hint.inner_text() != first
    page.keyboard.press("Enter")
    case = page.locator(".case")
    expect(case).to_be_visible()
    expect(case.locator("h4")).to_be_focused()
    expect(case.locator(".face")).to_have_count(5)
    expect(case.locator(".face").first).to_contain_text("onset")
    expect(case.locator(".chart svg")).to_have_count(2)
    page.keyboard.press("Escape")
    expect(case).to_have_count(0)
    expect(plot).to_be_focused()


def test_a_missed_case_tells_of_windows_only_where_they_are_known(tmp_path: Path, visit: Visit) -> None:
    [told] = (plain := document(videos=1)).timelines
    row, missed = next((row, case) for row, case in enumerate(told.cases) if case.kind == "missed")
    for known, words in ((True, 1), (None, 0)):
        cases = [replace(case, cut_by_window=known) if case is missed else case for case in told.cases]
        made = replace(plain, timelines=[replace(told, cases=cases)])
        page = visit(write(tmp_path, made), place=f"#case-0-0-{row}")
        expect(page.locator(".case h4")).to_contain_text("missed")
        expect(page.locator(".case").get_by_text("none holds it whole")).to_have_count(words)
        expect(page.locator(".case").get_by_text("one holds it whole", exact=True)).to_have_count(0)


def test_a_click_on_a_detection_opens_it_and_j_goes_on(report: Path, visit: Visit) -> None:
    page = visit(report)
    plot = drawn(page)
    told = document().timelines[0]
    case = next(case for case in told.cases if case.kind == "correct")
    box = plot.bounding_box()
    wide = box["width"] - 64 - 10
    at = 64 + wide * (case.start + case.stop) / 2 / told.frame_count
    page.mouse.move(box["x"] + at, box["y"] + 55)
    expect(page.locator("#hint")).to_contain_text(f"frames {case.onset} – {case.offset}")
    expect(page.locator("#hint .scores li")).to_have_count(6)
    page.mouse.click(box["x"] + at, box["y"] + 55)
    expect(page.locator(".case h4")).to_contain_text(f"correct: {case.emotion}")
    before = page.locator(".case h4").inner_text() + page.url
    page.keyboard.press("j")
    expect(page.locator(".case")).to_have_count(1)
    assert page.locator(".case h4").inner_text() + page.url != before


def test_a_link_to_a_case_opens_it(report: Path, visit: Visit) -> None:
    page = visit(report, place="#case-2-0-1")
    expect(page.locator("#v2 .case")).to_be_visible()


def test_the_filter_leaves_cases_of_a_kind_an_emotion_and_a_subject(report: Path, visit: Visit) -> None:
    page = visit(report)
    told = document()
    missed = [case for video in told.timelines for case in video.cases if case.kind == "missed"]
    page.locator("[data-kind=missed]").click()
    kept = sum(any(case.kind == "missed" for case in video.cases) for video in told.timelines)
    expect(page.locator("#count")).to_contain_text(f"{len(missed)} of 32 cases in {kept} of 3 videos")
    page.locator("#clear").click()
    page.locator("#subject").select_option("p02")
    expect(page.locator(".video:visible")).to_have_count(1)
    page.locator("#clear").click()
    page.locator("[data-emotion='0']").focus()
    page.keyboard.press("Enter")
    happy = [
        case
        for video in told.timelines
        for case in video.cases
        if "happiness" in (case.emotion, None if case.truth is None else video.expressions[case.truth].emotion)
    ]
    expect(page.locator("#count")).to_contain_text(f"{len(happy)} of 32 cases")


def test_a_confusion_cell_and_a_diagnosis_row_lead_to_their_cases(report: Path, visit: Visit) -> None:
    page = visit(report)
    cell = page.get_by_role("button", name="true surprise, detected disgust")
    count = cell.inner_text()
    cell.click()
    expect(page.locator("#count")).to_contain_text(f"true surprise, detected disgust: {count} of 32 cases")
    page.locator(".diagnosis").get_by_role("button", name="missed").click()
    expect(page.locator("[data-kind=missed]")).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#timelines-title")).to_be_focused()
    told = document()
    missed = [case for video in told.timelines for case in video.cases if case.kind == "missed"]
    short = [case for case in missed if 30 <= case.stop - case.start < 60]
    page.get_by_role("button", name="2 missed, 30-60").click()
    expect(page.locator("#count")).to_contain_text(f"less than 60: {len(short)} of 32 cases")
    page.locator(".subjects").get_by_role("button", name="p02").click()
    expect(page.locator("#subject")).to_have_value("p02")


def test_a_filter_that_leaves_nothing_says_so(report: Path, visit: Visit) -> None:
    page = visit(report)
    page.locator("[data-kind=wrong_emotion]").click()
    page.locator("#subject").select_option("p02")
    expect(page.locator("#nothing")).to_be_visible()
    page.locator("#nothing button").click()
    expect(page.locator(".video:visible")).to_have_count(3)


def test_a_timeline_comes_nearer_by_keys_buttons_and_wheel(report: Path, visit: Visit) -> None:
    page = visit(report)
    plot = drawn(page)
    expect(plot).to_contain_text("0:40")
    plot.focus()
    page.keyboard.press("+")
    expect(plot).not_to_contain_text("0:40")
    page.keyboard.press("0")
    expect(plot).to_contain_text("0:40")
    page.locator("#v0 [data-zoom=in]").click()
    expect(plot).not_to_contain_text("0:40")
    page.locator("#v0 [data-zoom=all]").click()
    expect(plot).to_contain_text("0:40")
    plot.hover()
    page.keyboard.down("Control")
    page.mouse.wheel(0, -300)
    page.keyboard.up("Control")
    expect(plot).not_to_contain_text("0:40")


def test_dark_follows_the_system_and_the_switch(report: Path, visit: Visit) -> None:
    paper = "getComputedStyle(document.body).backgroundColor"
    page = visit(report)
    light = page.evaluate(paper)
    dark = visit(report, scheme="dark").evaluate(paper)
    assert light != dark
    page.locator("#theme").click()
    assert page.evaluate(paper) == light
    page.locator("#theme").click()
    expect(page.locator("#theme")).to_have_text("theme: dark")
    assert page.evaluate(paper) == dark


@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_is_wider_than_the_screen(report: Path, comparison: Path, visit: Visit, width: int) -> None:
    for path in (report, comparison):
        page = visit(path, width=width, place="#case-0-0-0")
        for number in range(3):
            drawn(page, number)
        expect(page.locator(".case")).to_be_visible()
        assert page.evaluate(NO_SIDEWAYS)


def test_names_are_text_and_nothing_else(tmp_path: Path, visit: Visit) -> None:
    page = visit(write(tmp_path, hostile(HOSTILE)), place="#case-0-0-0")
    expect(page.locator("#v0 h3")).to_have_text(f"{HOSTILE}0")
    expect(page.locator(".case")).to_be_visible()
    drawn(page).focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator("#hint")).to_contain_text("frames")
    page.locator("#subject").select_option(HOSTILE)
    expect(page.locator(".video:visible")).to_have_count(2)
    page.get_by_role("button", name=f"2 missed, {HOSTILE}").click()
    expect(page.locator("#count")).to_contain_text("3 of 20 cases in 2 of 2 videos")
    assert page.title() == f"{HOSTILE} · facespan report"
    assert page.locator("img[onerror]").count() == 0
    assert page.evaluate(NO_SIDEWAYS)


def test_a_report_of_nothing_says_what_is_missing(tmp_path: Path, visit: Visit) -> None:
    page = visit(write(tmp_path, empty()))
    expect(drawn(page)).to_contain_text("no score curve was kept")
    for section in ("summary", "scores", "errors", "subjects", "training"):
        assert page.locator(f"#{section} .empty").count()


def test_a_report_without_pictures_says_so(tmp_path: Path, visit: Visit) -> None:
    page = visit(write(tmp_path, document(pictures=False)), place="#case-0-0-0")
    expect(page.locator("#no-pictures")).to_be_visible()
    expect(page.locator(".case")).to_be_visible()
    expect(page.locator(".face")).to_have_count(0)


def test_pictures_of_the_last_cases_are_left_out_where_the_page_is_full() -> None:
    told = [("", document())]
    whole = render.rendered(told)
    limit = len(whole.encode()) - 40_000
    page = render.rendered(told, most_bytes=limit)
    assert len(page.encode()) <= limit
    assert 'id="pictures-0-0-0"' in page
    last = max(index for index, case in enumerate(told[0][1].timelines[2].cases) if case.pictures)
    assert f'id="pictures-2-0-{last}"' in whole
    assert f'id="pictures-2-0-{last}"' not in page
    assert "of 32 cases, the last ones, were left out" in page


def test_two_runs_stand_on_one_timeline(comparison: Path, visit: Visit) -> None:
    page = visit(comparison)
    plot = drawn(page)
    for name in ("narrow", "wide"):
        expect(plot.get_by_text(name, exact=True)).to_have_count(2)
        expect(page.locator(".headline small").get_by_text(name, exact=True)).to_have_count(4)
    page.get_by_role("button", name="missed of wide").click()
    expect(page.locator("#count")).to_contain_text("of wide")


def test_runs_judged_by_different_expressions_are_told_apart(comparison: Path, visit: Visit) -> None:
    expect(visit(comparison).locator(".warning").last).to_contain_text("different expressions in 3 videos")


def test_a_video_that_one_run_lacks_is_shown_with_the_other(tmp_path: Path, visit: Visit) -> None:
    runs = [("short", document(videos=1)), ("long", document(videos=2))]
    page = visit(write(tmp_path, *runs))
    drawn(page, 1)
    expect(page.locator("#v1 .tally").first).to_have_text("short: not in this run")


def test_the_same_document_makes_the_same_page() -> None:
    assert render.rendered([("", document(videos=1))]) == render.rendered([("", document(videos=1))])


def test_scores_that_are_no_number_are_shown_as_none(tmp_path: Path, visit: Visit) -> None:
    told = document(videos=1, classes=SEVEN[:1])
    told.timelines[0].curve[3] = np.nan
    expect(drawn(visit(write(tmp_path, told)))).to_contain_text("0:40")


def test_a_page_that_nobody_can_judge_shows_what_was_found_and_no_scores(tmp_path: Path, visit: Visit) -> None:
    judged = document(videos=1)
    [video] = judged.timelines
    cases = [replace(case, kind="found", truth=None, iou=None) for case in video.cases if case.kind != "missed"]
    bare = replace(video, expressions=(), cases=cases)
    page = visit(write(tmp_path, replace(judged, timelines=[bare], headline=(), figures={}, is_judged=False)))
    expect(page.locator("nav a")).to_have_text(["Summary", "Timelines"])
    for section in ("scores", "errors", "subjects", "training"):
        expect(page.locator(f"#{section}")).to_have_count(0)
    drawn(page)
    page.keyboard.press("j")
    expect(page.locator(".case h4")).to_contain_text("found")
