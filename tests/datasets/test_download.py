"""The downloader asks for the rest of a file that was cut off, and refuses what is not the file."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from dcsim.datasets import DownloadError
from dcsim.datasets.download import ResumingDownloader


@pytest.fixture
def download(base, tmp_path):
    """Downloads `small.csv` of the test server; keyword arguments are those of the downloader."""

    def run(address: str = base, **options) -> bytes:
        target = tmp_path / "target"
        downloader = ResumingDownloader(tmp_path / "small.part", **({"secure": False, "pause_s": 0.0} | options))
        downloader(f"{address}/small.csv", str(target), None)
        return target.read_bytes()

    return run


def kept(tmp_path: Path) -> int:
    return (tmp_path / "small.part").stat().st_size


def test_a_whole_file(download, server, pages, tmp_path):
    assert download() == server.CONTENT
    assert pages["small.csv"].asked == [(None, None)]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["target"]


def test_a_cut_connection_goes_on_at_the_byte_where_it_ended(download, server, pages):
    pages["small.csv"].cuts = [200_000, 100_000]
    have = []
    assert download(progress=lambda bytes_, total: have.append((bytes_, total))) == server.CONTENT
    first, second, third = pages["small.csv"].asked
    assert first == (None, None)
    starts = [int(span[len("bytes=") : -1]) for span, _ in (second, third)]
    assert 100_000 < starts[0] <= 200_000
    assert starts[0] < starts[1] <= starts[0] + 100_000
    assert second[1] == third[1] == '"one"'
    assert [bytes_ for bytes_, _ in have] == sorted(bytes_ for bytes_, _ in have)
    assert have[-1] == (len(server.CONTENT), len(server.CONTENT))


def test_a_later_call_goes_on(download, server, pages, tmp_path):
    pages["small.csv"].cuts = [200_000, 0]
    with pytest.raises(DownloadError, match=r"the connection to 127\.0\.0\.1:\d+ broke; 197 kB are kept, the same"):
        download()
    have = kept(tmp_path)
    pages["small.csv"].asked.clear()
    assert download() == server.CONTENT
    assert pages["small.csv"].asked == [(f"bytes={have}-", '"one"')]


def test_an_interrupted_download_goes_on(download, server, pages, tmp_path):
    def interrupt(have: int, _total: int | None) -> None:
        if have > 100_000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        download(progress=interrupt)
    have = kept(tmp_path)
    assert 100_000 < have < len(server.CONTENT)
    assert download() == server.CONTENT
    assert pages["small.csv"].asked[1:] == [(f"bytes={have}-", '"one"')]


def test_a_file_that_changed_at_the_server_begins_anew(download, server, pages):
    page = pages["small.csv"]
    page.cuts = [200_000, 0]
    with pytest.raises(DownloadError):
        download()
    page.content, page.etag = server.CHANGED, '"two"'
    assert download() == server.CHANGED
    assert page.asked[-1][1] == '"one"'


def test_a_server_that_ignores_if_range_makes_no_mixture(download, server, pages):
    page = pages["small.csv"]
    page.cuts = [200_000, 0]
    with pytest.raises(DownloadError):
        download()
    page.content, page.etag, page.modified = server.CHANGED, '"one"', None
    page.headers = {"ETag": '"two"'}
    assert download() == server.CHANGED
    assert page.asked[-1] == (None, None)


def test_a_server_without_ranges_sends_all_again(download, server, pages):
    page = pages["small.csv"]
    page.ranges, page.cuts = False, [200_000]
    assert download() == server.CONTENT
    assert len(page.asked) == 2


@pytest.mark.parametrize(
    ("etag", "modified", "used"), [('W/"one"', "Mon, 01 Jan 2024 00:00:00 GMT", True), (None, None, False)]
)
def test_without_a_strong_etag_the_date_counts_and_without_both_it_begins_anew(
    download, server, pages, etag, modified, used
):
    page = pages["small.csv"]
    page.etag, page.modified, page.cuts = etag, modified, [200_000]
    assert download() == server.CONTENT
    assert (page.asked[1][0] is not None) == used
    assert page.asked[1][1] == modified


def test_more_than_there_is_begins_anew(download, server, pages, tmp_path):
    (tmp_path / "small.part").write_bytes(bytes(len(server.CONTENT) + 5))
    (tmp_path / "small.part.tag").write_text('"one"')
    assert download() == server.CONTENT
    assert [span is None for span, _ in pages["small.csv"].asked] == [False, True]


def test_a_missing_file_is_http_404(download, pages):
    pages["small.csv"].status = 404
    with pytest.raises(DownloadError, match=r"^HTTP 404 Not Found$"):
        download()


def test_no_server(download):
    with pytest.raises(DownloadError, match=r"^no connection to 127\.0\.0\.1:1$"):
        download("http://127.0.0.1:1")


def test_an_address_without_https_is_refused(download):
    with pytest.raises(DownloadError, match="which is not https"):
        download(secure=True)


def test_a_redirect_without_https_is_refused(download, pages, base):
    pages["small.csv"].status = 302
    pages["small.csv"].headers = {"Location": f"{base}/other"}
    pages["other"] = type(pages["small.csv"])()
    with pytest.raises(DownloadError, match="which is not https"):
        download(secure=True)


@pytest.mark.parametrize(
    ("content", "headers", "problem"),
    [
        (b"<html>", {"Content-Type": "text/html; charset=utf-8"}, "a web page instead of the file"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n", {}, "a Git LFS pointer instead"),
    ],
)
def test_what_is_not_the_file_is_refused(download, pages, tmp_path, content, headers, problem):
    pages["small.csv"].content, pages["small.csv"].headers = content, headers
    with pytest.raises(DownloadError, match=problem):
        download()
    assert not (tmp_path / "target").exists()


def test_a_longer_file_than_the_registry_says_is_refused(download, pages):
    with pytest.raises(DownloadError, match=r"^the server has 384000 bytes, want at most 1000$"):
        download(most_bytes=1000)
    pages["small.csv"].headers = {"Content-Length": None}
    with pytest.raises(DownloadError, match=r"^the server sent more than 1000 bytes$"):
        download(most_bytes=1000)


def test_a_disk_without_room(download, monkeypatch):
    usage = type("Usage", (), {"free": 1000})
    monkeypatch.setattr("dcsim.datasets.download.shutil.disk_usage", lambda _: usage)
    with pytest.raises(DownloadError, match=r"^the disk is too full: 384 kB are needed and 1 kB are free in "):
        download()


def test_a_disk_that_fills_up(download, monkeypatch):
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(ResumingDownloader, "_write", full)
    with pytest.raises(DownloadError, match=r"^the disk is full: cannot write .*small\.part$"):
        download()
