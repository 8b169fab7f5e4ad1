"""Contact sheets as pages: one of the aligned faces of a video, and one that lists the videos, worst first.

A page states its facts in its head, so that the list is made from the pages that there are, and nothing else is taken
for one of ours.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import jinja2

TEMPLATES = Path(__file__).with_name("templates")
PARTS = ("sheet.html.j2", "sheet_list.html.j2", "sheet.css", "sheet.js")
# Of a page, what its head may take: a picture of a mean face is the most of it.
HEAD_BYTES = 1 << 16
_SHEET = re.compile(r'<meta name="facespan-sheet" content="([^"]*)">')
_LIST = re.compile(r'<meta name="facespan-sheets" content="([^"]*)">')
STRIP_WIDTH, LANE_HEIGHT = 600, 24


@dataclass(frozen=True)
class SheetFacts:
    """What is known of a video's aligned frames at a glance.

    Attributes:
        seconds: from the first frame to the last.
        faceless: how many frames have no face.
        least_confidence: of the frames with a face; None where there is none.
        largest_change: from a frame to the next, mean over pixels, 0 to 255; None where nobody looked, or no two
            neighbours have a face.
        mean_face: of the even sample, a JPEG file in base64; empty where there is none.
        made_of: fingerprint of frames and looks; a page of another one is made again.
    """

    corpus: str
    video: str
    subject: str
    frames: int
    frame_rate: float
    seconds: float
    faceless: int
    least_confidence: float | None
    largest_change: float | None
    mean_face: str
    made_of: str


@dataclass(frozen=True)
class ShownFace:
    """One frame on a sheet.

    Attributes:
        frame_label: its number in the corpus.
        confidence: None without a face.
        change: from the frame before; None where that is not what it is shown for.
        image: an encoded JPEG; empty without a face.
    """

    frame_label: int
    seconds: float
    confidence: float | None
    change: float | None
    image: bytes

    @property
    def source(self) -> str:
        """The picture as an address that makes no request."""
        return "data:image/jpeg;base64," + base64.b64encode(self.image).decode("ascii")


@dataclass(frozen=True)
class Strip:
    """A video over time, in at most `STRIP_WIDTH` equal parts.

    Attributes:
        confidence: the least of each part; None without a face.
        change: the largest of each part, as a share of the largest of all; None where there is none.
        faceless: parts with a frame without a face, half-open.
    """

    confidence: Sequence[float | None]
    change: Sequence[float | None]
    faceless: Sequence[tuple[int, int]]


@dataclass(frozen=True)
class Span:
    """Frames one after the other, by number and time, inclusive."""

    first_label: int
    last_label: int
    first_seconds: float
    last_seconds: float


@dataclass(frozen=True)
class ContactSheet:
    """What the page of a video shows.

    Attributes:
        eyes: where the centres of the eyes are to lie, right one first, as shares of width and height.
        lost: the spans without a face.
        doubtful: least confident first.
        jumps: before and after, largest change first; taken as the page is written.
        sample: in the order of time; likewise.
        back: address of the page to go back to, relative.
    """

    facts: SheetFacts
    eyes: Sequence[tuple[float, float]]
    strip: Strip
    lost: Sequence[Span]
    doubtful: Iterable[ShownFace]
    jumps: Iterable[tuple[ShownFace, ShownFace]]
    sample: Iterable[ShownFace]
    back: str


@dataclass(frozen=True)
class Row:
    """A video on the list: its facts, or why there are none."""

    video: str
    subject: str
    facts: SheetFacts | None
    problem: str


def draw(sheet: ContactSheet) -> Iterator[str]:
    """Yield the page of a video piece by piece; pictures are taken as they are needed."""
    state = json.dumps(asdict(sheet.facts), sort_keys=True)
    template = _templates().get_template("sheet.html.j2")
    return template.generate(sheet=sheet, facts=sheet.facts, state=state, paths=_paths(sheet.strip))


def draw_list(corpus: str, rows: Sequence[Row], folder: str) -> str:
    """Return the page that lists the videos, worst first.

    Args:
        folder: where the pages of the videos lie, relative.
    """
    ordered = sorted(rows, key=_worst_first)
    return _templates().get_template("sheet_list.html.j2").render(corpus=corpus, rows=ordered, folder=folder)


def owner_of(head: str) -> tuple[str, str] | None:
    """Return of which corpus and video a page is the contact sheet, also one of another facespan; None when of none."""
    stated = _stated(head)
    corpus, video = stated.get("corpus"), stated.get("video")
    return (corpus, video) if isinstance(corpus, str) and isinstance(video, str) else None


def facts_of(head: str) -> SheetFacts | None:
    """Return what a page states in its head; None when it is no contact sheet as this facespan makes it."""
    stated = _stated(head)
    if set(stated) != {field.name for field in fields(SheetFacts)}:
        return None
    facts = SheetFacts(**stated)
    texts = (facts.corpus, facts.video, facts.subject, facts.mean_face, facts.made_of)
    numbers = (facts.frames, facts.frame_rate, facts.seconds, facts.faceless)
    told = [each for each in (facts.least_confidence, facts.largest_change) if each is not None]
    is_whole = all(isinstance(each, str) for each in texts) and all(_is_number(each) for each in (*numbers, *told))
    return facts if is_whole and facts.frames > 0 and re.fullmatch("[A-Za-z0-9+/=]*", facts.mean_face) else None


def corpus_of(head: str) -> str | None:
    """Return of which corpus a page is the list; None when it is no list of ours."""
    found = _LIST.search(head)
    return html.unescape(found[1]) if found else None


def looks() -> str:
    """Return the digest of what pages are drawn with."""
    return hashlib.sha256(b"".join((TEMPLATES / name).read_bytes() for name in PARTS)).hexdigest()


def _stated(head: str) -> dict[str, Any]:
    found = _SHEET.search(head)
    try:
        stated = json.loads(html.unescape(found[1])) if found else None
    except (ValueError, RecursionError):
        return {}
    return stated if isinstance(stated, dict) else {}


def _is_number(stated: object) -> bool:
    return isinstance(stated, int | float) and not isinstance(stated, bool) and math.isfinite(stated) and stated >= 0


def _worst_first(row: Row) -> tuple[bool, float, float, float, str]:
    facts = row.facts
    if facts is None:
        return not row.problem, -1.0, 0.0, 0.0, row.video
    least = 1.0 if facts.least_confidence is None else facts.least_confidence
    return True, -facts.faceless / facts.frames, least, -(facts.largest_change or 0.0), row.video


def _paths(strip: Strip) -> dict[str, str]:
    """Return what an SVG path draws of confidence, a line above, and of change, bars below it."""
    line, pen = [], "M"
    for part, value in enumerate(strip.confidence):
        if value is not None:
            line.append(f"{pen}{part} {LANE_HEIGHT * (1 - value) + 1:.1f}h1")
        pen = "M" if value is None else "L"
    bottom = 2 * LANE_HEIGHT + 4
    bars = [f"M{part + 0.5} {bottom}v-{LANE_HEIGHT * value:.1f}" for part, value in enumerate(strip.change) if value]
    return {"confidence": "".join(line), "change": "".join(bars)}


def _templates() -> jinja2.Environment:
    # Names of videos and subjects are somebody else's text.
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True
    )
