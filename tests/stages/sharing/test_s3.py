"""Through S3: a server on this machine that speaks its protocol, where moto and dvc-s3 are installed."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.stages.sharing.conftest import CORPUS, FEATURES, Team, dvc, everything, git, listing, locked

NEEDED = "S3 is tried only where they are installed: pip install 'moto[server]' dvc-s3"
BUCKET = "team"
Facespan = Callable[..., Any]


@dataclass(frozen=True)
class Bucket:
    """A bucket and where its server listens."""

    client: Any
    address: str

    def key(self, name: str) -> str:
        """Return under which key DVC keeps an object."""
        return f"cache/files/md5/{name[:2]}/{name[2:]}"

    def get(self, name: str) -> bytes:
        """Return the bytes of an object."""
        return bytes(self.client.get_object(Bucket=BUCKET, Key=self.key(name))["Body"].read())

    def put(self, name: str, content: bytes) -> None:
        """Let the bucket hold other bytes under a name."""
        self.client.put_object(Bucket=BUCKET, Key=self.key(name), Body=content)


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    server_module = pytest.importorskip("moto.server", reason=NEEDED)
    boto3 = pytest.importorskip("boto3", reason=NEEDED)
    pytest.importorskip("dvc_s3", reason=NEEDED)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "invented")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    server = server_module.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    address = f"http://{host}:{port}"
    client = boto3.client("s3", endpoint_url=address)
    client.create_bucket(Bucket=BUCKET)
    yield Bucket(client, address)
    server.stop()


@pytest.fixture
def through_s3(begin: Callable[[], Team], bucket: Bucket) -> Team:
    """Return a team whose default remote is the bucket."""
    team = begin()
    for folder in (team.home, team.clone):
        dvc(folder, "remote", "add", "--local", "--default", "s3", f"s3://{BUCKET}/cache")
        dvc(folder, "remote", "modify", "--local", "s3", "endpointurl", bucket.address)
    return team


def test_features_travel_through_s3(
    through_s3: Team, bucket: Bucket, facespan: Facespan, monkeypatch: pytest.MonkeyPatch
) -> None:
    team = through_s3
    monkeypatch.chdir(team.home)
    told = facespan("cache", "push", CORPUS)
    assert (told.code, "(9 objects sent" in told.out) == (0, True), told.err
    assert "(0 objects sent" in facespan("cache", "push", CORPUS).out
    monkeypatch.chdir(team.clone)
    told = facespan("cache", "pull", CORPUS)
    assert (told.code, "(9 objects fetched, 8 files placed" in told.out) == (0, True), told.err
    mine = everything(team.clone)
    assert {name for name in mine if name.startswith(FEATURES)}
    assert mine.items() <= everything(team.home).items()
    assert git(team.clone, "status", "--porcelain") == ""


def test_a_hostile_bucket_is_refused(
    through_s3: Team, bucket: Bucket, facespan: Facespan, monkeypatch: pytest.MonkeyPatch
) -> None:
    team = through_s3
    monkeypatch.chdir(team.home)
    assert facespan("cache", "push", CORPUS).code == 0
    monkeypatch.chdir(team.clone)
    before = everything(team.clone)
    listed, table = locked(team.clone, FEATURES)["md5"], locked(team.clone, "data/mine/videos.parquet")["md5"]
    sound = {
        name: bucket.client.get_object(Bucket=BUCKET, Key=bucket.key(name))["Body"].read() for name in (listed, table)
    }
    for name, content, code, expected in (
        (listed, listing(("../../../../.git/hooks/post-checkout", table)), 5, "expected"),
        (table, sound[table][:-1], 5, "expected"),
        (table, bytes(1 << 22), 5, "4,194,304 bytes, expected at most"),
    ):
        bucket.put(name, content)
        told = facespan("cache", "pull", CORPUS, "-q")
        assert (told.code, expected in told.err, told.err.count("\n")) == (code, True, 1), told.err
        bucket.put(name, sound[name])
    bucket.client.delete_object(Bucket=BUCKET, Key=bucket.key(table))
    told = facespan("cache", "pull", CORPUS, "-q")
    assert (told.code, "lacks data/mine/videos.parquet" in told.err) == (4, True)
    assert everything(team.clone) == before
    assert not (team.clone / ".git/hooks/post-checkout").exists()


def test_a_server_that_is_not_there_is_said_in_one_line(
    through_s3: Team, facespan: Facespan, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(through_s3.clone)
    dvc(through_s3.clone, "remote", "modify", "--local", "s3", "endpointurl", "http://127.0.0.1:1")
    dvc(through_s3.clone, "remote", "modify", "--local", "s3", "connect_timeout", "1")
    shutil.rmtree(through_s3.clone / ".dvc/tmp", ignore_errors=True)
    told = facespan("cache", "pull", CORPUS, "-q")
    assert (told.code, told.err.count("\n")) == (4, 1), told.err
    assert "the remote 's3' (s3://team/cache) cannot be read: " in told.err


def test_a_bucket_whose_versions_dvc_would_follow_is_refused(
    through_s3: Team, facespan: Facespan, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(through_s3.clone)
    dvc(through_s3.clone, "remote", "modify", "--local", "s3", "version_aware", "true")
    told = facespan("cache", "pull", CORPUS, "-q")
    assert (told.code, "unsupported for cloud versioned remotes" in told.err) == (4, True)
