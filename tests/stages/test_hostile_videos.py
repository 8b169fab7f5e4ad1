"""A video file that is a playlist, whatever it is called, plays no other file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cache.tables import videos
from stages.shell.command import ExitCode

Run = Callable[..., Any]
Begin = Callable[..., Path]
VIDEOS = Path("corpus/videos")
# Each plays `ann_1.avi`, or would listen to the network.
PLAYLISTS = {
    "ffconcat": "ffconcat version 1.0\nfile ann_1.avi\n",
    "m3u8": "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:5,\nann_1.avi\n#EXT-X-ENDLIST\n",
    "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n"
    "a=rtpmap:96 H264/90000\n",
}


@pytest.mark.parametrize("name", PLAYLISTS)
def test_a_playlist_named_like_a_video_plays_nothing(begin: Begin, stage: Run, name: str) -> None:
    begin()
    (VIDEOS / "ben_1.avi").write_text(PLAYLISTS[name], encoding="ascii")
    told = stage("index")
    assert told.code == ExitCode.PARTIAL
    assert "corpus/videos/ben_1.avi does not open as a video" in told.err
    assert {video.video for video in videos.read(Path("data/videos.parquet"))} == {"ann_1", "cem_1"}


def test_a_playlist_put_in_the_place_of_a_video_later_gives_no_frames(begin: Begin, stage: Run) -> None:
    begin("index")
    (VIDEOS / "ben_1.avi").write_text(PLAYLISTS["ffconcat"], encoding="ascii")
    told = stage("align")
    assert told.code == ExitCode.PARTIAL
    assert "corpus/videos/ben_1.avi does not open as a video" in told.err
    assert {path.name for path in Path("data/frames").glob("*.h5")} == {"ann_1.h5", "cem_1.h5"}
