"""Report as one HTML file: templates, style, script, charts and pictures inline; no request leaves it."""

from __future__ import annotations

import base64
import hashlib
from functools import lru_cache
from pathlib import Path
from typing import Any

import vl_convert
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from stages.page import contents, tables, timeline_drawing
from stages.page.charts import loss_names
from stages.page.contents import Runs
from stages.page.kinds import BY_KEY, KINDS
from stages.page.pictures import MOST_BYTES, any_pictures, fitting

TEMPLATES = Path(__file__).parent / "templates"


def rendered(runs: Runs, most_bytes: int = MOST_BYTES) -> str:
    """Return the page as text; pictures of the last cases are left out where it would grow beyond `most_bytes`."""
    shown = contents.videos(runs)
    numbers = contents.classes(runs)
    documents = [document for _, document in runs]
    template = environment().get_template("page.html.j2")
    known: dict[str, Any] = {
        "runs": runs,
        "videos": shown,
        "numbers": numbers,
        "page": contents.page_data(runs, numbers, shown),
        "fillings": contents.fillings(runs, numbers, shown),
        "attentions": [contents.attentions(video) for video in shown],
        "warnings": contents.warnings(runs, shown),
        "headline": tables.headline(documents),
        "tallies": tables.tallies(runs, numbers),
        "changed": tables.changed(documents),
        "errors": tables.errors(documents),
        "subjects": tables.subjects(documents),
        "losses": loss_names(runs),
        "height": timeline_drawing.height([name for name, _ in runs]),
        "thumbnails": any_pictures(documents),
        "scripts": [library(), (TEMPLATES / "page.js").read_text(encoding="utf-8")],
        "style": (TEMPLATES / "style.css").read_text(encoding="utf-8"),
    }
    cases = contents.cases(shown)
    room = most_bytes - len(template.render(**known, album=fitting(cases, 0)).encode())
    return template.render(**known, album=fitting(cases, room))


def environment() -> Environment:
    """Return the templates; every value that they print is escaped."""
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "percent": tables.share,
        "clock": contents.clock,
        "counted": tables.counted,
        "spans": contents.spans,
        "digest": digest,
        "many": contents.many,
    }
    made.globals |= {"KINDS": KINDS, "BY_KEY": BY_KEY, "confusion": tables.confusion, "by_emotion": tables.by_emotion}
    return made


@lru_cache(maxsize=1)
def library() -> str:
    """Return Vega as one script that needs nothing else; what embeds it can do without evaluating text as code."""
    return str(vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;"))


def digest(script: str) -> str:
    """Return a script's digest as a content security policy names it: only what we wrote runs."""
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
