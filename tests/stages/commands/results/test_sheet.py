"""`facespan sheet`: pages of aligned faces that show what was lost and what is doubtful."""

from __future__ import annotations

import dataclasses
import re
import shutil
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from cache.columns import FrameColumns
from cache.shards import frames, manifest
from cache.tables import videos
from stages.page import sheets
from stages.results import contact_sheets
from stages.results.contact_sheets import FaceChoice
from stages.shell.command import ExitCode

Run = Callable[..., Any]
Begin = Callable[..., Path]
FRAMES, TABLE, SHEET = Path("data/frames"), Path("data/videos.parquet"), Path("results/tiny/sheet")
LOST = slice(60, 90)


def rewrite(video: str, change: Callable[[list[bytes], FrameColumns], tuple[list[bytes], FrameColumns]]) -> None:
    """Write the frames of a video again, changed, with a manifest that says so."""
    held = manifest.read(FRAMES)
    path = FRAMES / held.shards[video].file
    with frames.open(path) as opened:
        images, columns = change([opened.read(position) for position in range(len(opened))], opened.columns)
    frames.write(path, frames.join(images, columns), opened.key, opened.source)
    entry = manifest.describe(FRAMES, path, len(columns), opened.key)
    manifest.write(FRAMES, manifest.Manifest("frames", {**held.shards, video: entry}, held.run))


def lose_and_doubt(images: list[bytes], columns: FrameColumns) -> tuple[list[bytes], FrameColumns]:
    """Take the face of 30 frames, make two frames unsure, and have one frame show something else; count from 1001."""
    found, confidence = columns.face_found.copy(), columns.face_confidence.copy()
    found[LOST], confidence[LOST] = False, 0
    confidence[[10, 11, 120]] = 0.25, 0.3, 0.5
    images[40] = frames.encode_image(np.full((48, 48, 3), 255, np.uint8), 95)
    return images, dataclasses.replace(
        columns, frame_label=columns.frame_label + 1001, face_found=found, face_confidence=confidence
    )


@pytest.fixture
def here(begin: Begin) -> Path:
    """Return a folder whose frames are made, laid out as `dvc.yaml` does it; of ann's, some show no face."""
    folder = begin("align")
    (folder / "data/tiny").symlink_to(folder / "data")
    rewrite("ann_1", lose_and_doubt)
    return folder


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Return a Chromium without a window; skip where there is none."""
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if path is None:
        pytest.skip("there is no Chromium on this machine: the pages cannot be opened")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        yield opened
        opened.close()


@pytest.fixture
def visit(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Return a function that opens a page; what it complains of, or asks of a network, fails the test."""
    complaints: list[str] = []
    contexts = []

    def opened(path: Path, width: int = 1280, scheme: str = "light") -> Page:
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)  # type: ignore[arg-type]
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda asked: None if asked.url[:5] in ("file:", "data:") else complaints.append(asked.url))
        page.goto(path.absolute().as_uri())
        return page

    yield opened
    for context in contexts:
        context.close()
    assert not complaints


def facts(video: str) -> sheets.SheetFacts:
    found = sheets.facts_of((SHEET / f"videos/{video}.html").read_text("utf-8"))
    assert found is not None
    return found


def test_a_page_a_video_and_a_list_of_them_worst_first(here: Path, facespan: Run, visit: Callable[..., Page]) -> None:
    told = facespan("sheet", "tiny")
    assert told.code == 0, told.err
    assert told.out.startswith("sheet: results/tiny/sheet/index.html, 3 videos, ")
    assert "(3 new, 0 kept); the folder holds faces" in told.out
    page = visit(here / SHEET / "index.html")
    assert "This folder holds faces" in page.inner_text(".notice")
    rows = [row.inner_text().split() for row in page.locator("tbody tr").all()]
    assert {row[0] for row in rows[1:]} == {"ben_1", "cem_1"}
    # 30 of 150 frames are lost; 30 frames a second.
    assert rows[0][:8] == ["ann_1", "ann", "150", "30/s", "5.0", "s", "20.0", "%"]
    assert rows[0][8] == "0.2500"
    page.click("text=ann_1")
    assert page.title() == "ann_1 · aligned faces"
    page.keyboard.press("Escape")
    page.wait_for_url("**/index.html#ann_1")
    assert page.evaluate("document.activeElement.textContent") == "ann_1"


def test_frames_without_a_face_are_blanks_with_their_number(
    here: Path, facespan: Run, visit: Callable[..., Page]
) -> None:
    assert facespan("sheet", "tiny", "ann_1", "--faces", "15").code == 0
    page = visit(here / SHEET / "videos/ann_1.html")
    # The middles of 15 times 10 frames, counted from 1001: 5, 15, ... 145; those from 60 to 89 are lost.
    told = [each.inner_text().split()[0] for each in page.locator("#sample .caption").all()]
    assert told == [str(1001 + position) for position in range(5, 150, 10)]
    lost = page.locator("#sample .lost")
    assert [each.inner_text().split()[:3] for each in lost.all()] == [
        ["no", "face", str(1001 + position)] for position in (65, 75, 85)
    ]
    assert page.locator("#sample img").count() == 12
    assert page.inner_text(".spans li") == "1061–1090 2.00–2.97 s"
    assert page.locator(".strip .gap").count() == 1


def test_what_looks_badly_aligned_is_shown_besides(here: Path, facespan: Run, visit: Callable[..., Page]) -> None:
    assert facespan("sheet", "tiny", "ann_1").code == 0
    page = visit(here / SHEET / "videos/ann_1.html")
    # 10 and 11 are less than a second apart: the less sure of them stands for both.
    doubtful = [each.inner_text().split() for each in page.locator("#doubtful .caption").all()]
    assert [(row[0], row[-1]) for row in doubtful] == [("1011", "0.2500"), ("1121", "0.5000")]
    # Frame 40 is white, so it differs from the one before, and the one after from it: within a second, once.
    captions = [each.inner_text().split() for each in page.locator("#jumps .caption").all()]
    assert [int(captions[0][0]), int(captions[1][0])] in ([1040, 1041], [1041, 1042])
    assert float(captions[1][-1]) > 2 * float(captions[3][-1])
    # Of ben, every frame is as sure as any other, and nothing is said of that.
    assert facespan("sheet", "tiny", "ben_1").code == 0
    assert visit(here / SHEET / "videos/ben_1.html").locator("#doubtful").count() == 0


def test_a_click_enlarges_and_keys_go_on(here: Path, facespan: Run, visit: Callable[..., Page]) -> None:
    assert facespan("sheet", "tiny", "--every", "0.5").code == 0
    page = visit(here / SHEET / "videos/ann_1.html")
    large = page.locator("#large")
    assert not large.is_visible()
    page.locator("#sample .face").nth(1).click()
    # Of each half second the first frame: 0, 15, 30, ..., counted from 1001.
    assert page.inner_text("#large figcaption") == "frame 1016, 0.50 s, confidence 1.0000"
    assert page.evaluate("document.querySelector('#enlarged img').naturalWidth") == 48
    page.keyboard.press("ArrowRight")
    assert page.inner_text("#large figcaption").startswith("frame 1031, 1.00 s")
    for _ in range(2):
        page.keyboard.press("ArrowRight")
    assert page.inner_text("#large figcaption") == "frame 1061, 2.00 s, no face"
    assert page.locator("#enlarged .blank").is_visible()
    page.keyboard.press("Escape")
    assert not large.is_visible()
    page.wait_for_function("document.activeElement.querySelector('b')?.innerText === '1061'")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Enter")
    assert page.inner_text("#large figcaption").startswith("frame 1046")
    page.keyboard.press("e")
    assert page.locator("#eyes").is_checked()


def test_the_list_is_sorted_and_searched(here: Path, facespan: Run, visit: Callable[..., Page]) -> None:
    assert facespan("sheet", "tiny").code == 0
    page = visit(here / SHEET / "index.html")

    def names() -> list[str]:
        return [each.inner_text() for each in page.locator("tbody tr:visible a").all()]

    page.click("th >> text=video")
    assert names() == ["ann_1", "ben_1", "cem_1"]
    page.click("th >> text=video")
    assert names() == ["cem_1", "ben_1", "ann_1"]
    page.click("th >> text=lowest confidence")
    assert names()[0] == "ann_1"
    page.keyboard.press("/")
    page.keyboard.type("BEN")
    assert names() == ["ben_1"]
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_url("**/videos/ben_1.html")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_nothing_is_wider_than_the_screen_by_day_and_by_night(
    here: Path, facespan: Run, visit: Callable[..., Page], width: int, scheme: str
) -> None:
    assert facespan("sheet", "tiny").code == 0
    for name in ("index.html", "videos/ann_1.html"):
        page = visit(here / SHEET / name, width, scheme)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        paper, ink = page.evaluate(
            "['backgroundColor', 'color'].map(name => getComputedStyle(document.body)[name].match(/\\d+/g).map(Number))"
        )
        assert (sum(paper) < sum(ink)) == (scheme == "dark")


def test_names_of_somebody_else_are_text(here: Path, facespan: Run, visit: Callable[..., Page]) -> None:
    hostile = "<script>document.title = 'mine'</script>\"><img src=x onerror=alert(1)>"
    rows = [dataclasses.replace(row, subject=hostile) if row.video == "ben_1" else row for row in videos.read(TABLE)]
    videos.write(TABLE, rows)
    assert facespan("sheet", "tiny").code == 0
    page = visit(here / SHEET / "index.html")
    assert hostile in page.inner_text("tr[data-video=ben_1]")
    page = visit(here / SHEET / "videos/ben_1.html")
    assert page.title() == "ben_1 · aligned faces"
    assert hostile in page.inner_text("header")
    assert facts("ben_1").subject == hostile


@pytest.mark.parametrize("name", ["VERSION", "PICTURE_SIDE", "QUALITY", "MEAN_SIDE", "MEAN_OF", "DOUBTFUL", "JUMPS"])
def test_a_page_is_made_again_by_code_that_makes_another(
    here: Path, facespan: Run, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    assert "(1 new, 0 kept)" in facespan("sheet", "tiny", "ben_1").out
    monkeypatch.setattr(contact_sheets, name, getattr(contact_sheets, name) + 1)
    assert "(1 new, 0 kept)" in facespan("sheet", "tiny", "ben_1").out


def test_what_did_not_change_is_kept_and_what_did_is_made_again(here: Path, facespan: Run) -> None:
    assert "(3 new, 0 kept)" in facespan("sheet", "tiny").out
    page = SHEET / "videos/ben_1.html"
    before = page.read_bytes()
    page.write_bytes(before.replace(b"Evenly over", b"Kept as it"))
    assert "(0 new, 3 kept)" in facespan("sheet", "tiny").out
    assert b"Kept as it" in page.read_bytes()
    assert "(3 new, 0 kept)" in facespan("sheet", "tiny", "--force").out
    assert page.read_bytes() == before
    rewrite("ben_1", lose_and_doubt)
    assert "(1 new, 2 kept)" in facespan("sheet", "tiny").out
    assert facts("ben_1").faceless == 30
    assert "(1 new, 0 kept)" in facespan("sheet", "tiny", "ann_1", "--faces", "5").out


def test_one_video_alone_leaves_the_others_on_the_list(here: Path, facespan: Run, visit: Callable[..., Page]) -> None:
    assert facespan("sheet", "tiny", "ben_1").code == 0
    assert [path.name for path in (SHEET / "videos").iterdir()] == ["ben_1.html"]
    page = visit(here / SHEET / "index.html")
    assert page.locator("tbody a").all_inner_texts() == ["ben_1"]
    assert "no sheet was asked for yet" in page.inner_text("tr[data-video=cem_1]")
    assert facespan("sheet", "tiny", "cem_1").code == 0
    page = visit(here / SHEET / "index.html")
    assert sorted(page.locator("tbody a").all_inner_texts()) == ["ben_1", "cem_1"]


def test_who_left_the_corpus_is_seen_no_longer(here: Path, facespan: Run) -> None:
    assert facespan("sheet", "tiny").code == 0
    (SHEET / "videos/mine.html").write_text("notes", encoding="utf-8")
    videos.write(TABLE, [row for row in videos.read(TABLE) if row.video != "ben_1"])
    told = facespan("sheet", "tiny")
    assert told.code == 0
    assert "videos/ben_1.html is of a video that the corpus no longer has and was removed" in told.err
    assert sorted(path.name for path in (SHEET / "videos").iterdir()) == ["ann_1.html", "cem_1.html", "mine.html"]
    assert "ben_1" not in (SHEET / "index.html").read_text("utf-8")


@pytest.mark.parametrize("name", ["index.html", "videos/ben_1.html"])
def test_what_is_not_ours_is_not_overwritten(here: Path, facespan: Run, name: str) -> None:
    path = here / SHEET / name
    path.parent.mkdir(parents=True)
    path.write_text("<title>somebody's</title>", encoding="utf-8")
    told = facespan("sheet", "tiny")
    assert told.code == ExitCode.INPUT
    assert f"{name} is no " in told.err
    assert "Give an --output of its own" in told.err
    assert [file for file in (here / SHEET).rglob("*") if file.is_file()] == [path]


def test_a_link_in_the_place_of_a_page_is_not_followed(here: Path, facespan: Run) -> None:
    assert facespan("sheet", "tiny").code == 0
    page, elsewhere = SHEET / "videos/ben_1.html", here / "elsewhere.html"
    page.rename(elsewhere)
    page.symlink_to(elsewhere)
    told = facespan("sheet", "tiny")
    assert told.code == ExitCode.INPUT
    assert "ben_1.html is no contact sheet" in told.err
    assert page.is_symlink()


def test_sheets_of_another_corpus_stay(here: Path, facespan: Run) -> None:
    assert facespan("sheet", "tiny", "--output", "shared").code == 0
    index = Path("shared/index.html")
    index.write_text(
        index.read_text("utf-8").replace('"facespan-sheets" content="tiny"', '"facespan-sheets" content="a"')
    )
    told = facespan("sheet", "tiny", "--output", "shared")
    assert told.code == ExitCode.INPUT
    assert "shared/index.html is that of the corpus 'a'" in told.err


def test_a_damaged_video_fails_alone_and_its_old_page_goes(
    here: Path, facespan: Run, visit: Callable[..., Page]
) -> None:
    assert facespan("sheet", "tiny").code == 0
    shard = FRAMES / "ben_1.h5"
    content = bytearray(shard.read_bytes())
    content[-100] ^= 1
    shard.write_bytes(content)
    told = facespan("sheet", "tiny", "--force")
    assert told.code == ExitCode.PARTIAL
    assert "sheet: ben_1 failed: " in told.err
    assert "(2 new, 0 kept)" in told.out
    assert not (SHEET / "videos/ben_1.html").exists()
    page = visit(here / SHEET / "index.html")
    assert page.locator("tbody tr").first.get_attribute("data-video") == "ben_1"
    assert "ben_1.h5" in page.inner_text("tr[data-video=ben_1]")


def test_a_video_without_frames_is_named(here: Path, facespan: Run) -> None:
    held = manifest.read(FRAMES)
    shards = {name: entry for name, entry in held.shards.items() if name != "cem_1"}
    manifest.write(FRAMES, manifest.Manifest("frames", shards, held.run))
    told = facespan("sheet", "tiny")
    assert told.code == ExitCode.PARTIAL
    assert "sheet: cem_1 failed: data/tiny/frames has no frames of it. Run: facespan align tiny" in told.err


def test_who_has_no_frames_is_told_how_to_get_them(here: Path, facespan: Run) -> None:
    shutil.rmtree(FRAMES)
    told = facespan("sheet", "tiny")
    assert told.code == ExitCode.INPUT
    assert "data/tiny/frames has no aligned frames" in told.err
    assert "dvc repro align@tiny" in told.err
    assert "facespan cache pull tiny --frames" in told.err
    assert not SHEET.exists()


def test_frames_of_another_length_than_the_table_says_are_refused(here: Path, facespan: Run) -> None:
    rows = [dataclasses.replace(row, frame_count=140) if row.video == "cem_1" else row for row in videos.read(TABLE)]
    videos.write(TABLE, rows)
    told = facespan("sheet", "tiny")
    assert told.code == ExitCode.PARTIAL
    assert "found 150 frames, expected 140, as the table of videos says" in told.err


def test_a_video_without_any_face_has_a_page_of_blanks(here: Path, facespan: Run, visit: Callable[..., Page]) -> None:
    def lose_all(images: list[bytes], columns: FrameColumns) -> tuple[list[bytes], FrameColumns]:
        nothing = np.zeros(len(columns), np.bool_)
        return images, dataclasses.replace(columns, face_found=nothing, face_confidence=nothing.astype(np.float32))

    rewrite("cem_1", lose_all)
    assert facespan("sheet", "tiny").code == 0
    page = visit(here / SHEET / "videos/cem_1.html")
    assert page.locator("img").count() == 0
    assert page.locator("#sample .lost").count() == 60
    assert visit(here / SHEET / "index.html").locator("tbody tr").first.get_attribute("data-video") == "cem_1"


def test_a_video_of_one_frame_has_a_page(here: Path, facespan: Run) -> None:
    rewrite(
        "cem_1",
        lambda images, columns: (images[:1], FrameColumns(*(each[:1] for each in dataclasses.astuple(columns)))),
    )
    rows = [dataclasses.replace(row, frame_count=1) if row.video == "cem_1" else row for row in videos.read(TABLE)]
    videos.write(TABLE, rows)
    told = facespan("sheet", "tiny")
    assert told.code == 0, told.err
    assert facts("cem_1").largest_change is None


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("--faces", "3", "--every", "1"), "--faces and --every: expected one of the two"),
        (("--faces", "0"), "--faces is 0, expected 1 to 5000"),
        (("--every", "0"), "--every is 0, expected seconds above 0"),
        (("--every", "0.0001"), "--every 0.0001 is 50,000 faces of ann_1 (5 s), and a page holds 5,000 at most"),
    ],
)
def test_what_cannot_be_meant_is_refused(here: Path, facespan: Run, words: tuple[str, ...], expected: str) -> None:
    told = facespan("sheet", "tiny", *words)
    assert told.code == ExitCode.USAGE
    assert expected in told.err


def test_a_video_that_there_is_not_is_named_with_the_nearest(here: Path, facespan: Run) -> None:
    told = facespan("sheet", "tiny", "ann_l")
    assert told.code == ExitCode.INPUT
    assert "there is no video 'ann_l' in data/tiny/videos.parquet (did you mean 'ann_1'?)" in told.err


def test_pictures_are_as_small_as_a_page_needs_them(here: Path, facespan: Run) -> None:
    def enlarge(images: list[bytes], columns: FrameColumns) -> tuple[list[bytes], FrameColumns]:
        large = cv2.resize(frames.decode_image(images[0]), (224, 224))
        return [frames.encode_image(np.asarray(large, np.uint8), None)] * len(images), columns

    rewrite("ben_1", enlarge)
    assert facespan("sheet", "tiny", "ben_1").code == 0
    text = (SHEET / "videos/ben_1.html").read_text("utf-8")
    assert len(re.findall("data:image/jpeg;base64,", text)) == 60 + 2 * 5 + 1
    # PNG images of 224 pixels are 40 kB each.
    assert len(text) < 71 * 8_000


def test_memory_does_not_grow_with_the_page(here: Path) -> None:
    def roughen(images: list[bytes], columns: FrameColumns) -> tuple[list[bytes], FrameColumns]:
        noise = np.random.default_rng(0).integers(0, 256, (160, 160, 3)).astype(np.uint8)
        return [frames.encode_image(noise, None)] * len(images), columns

    rewrite("ben_1", roughen)
    [video] = [row for row in videos.read(TABLE) if row.video == "ben_1"]
    told: dict[str, Any] = {"corpus": "tiny", "back": "index.html", "made_of": "these"}
    with frames.open(FRAMES / "ben_1.h5") as opened:
        contact_sheets.write(opened, video, Path("one.html"), choice=FaceChoice(1), **told)
        tracemalloc.start()
        try:
            contact_sheets.write(opened, video, Path("all.html"), choice=FaceChoice(150), **told)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    # 150 faces of 25 kB in base64, of which one, and what it is made from, is held at a time.
    assert Path("all.html").stat().st_size > 3_000_000
    assert peak < 2_000_000
