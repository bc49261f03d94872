"""The cache: a checksum for every file, one download for an archive of several, and one line for what goes wrong."""

from __future__ import annotations

import hashlib
import io
import re
import tarfile
import zipfile
from pathlib import Path

import pytest

from dcsim import datasets
from dcsim.datasets import DatasetError, DownloadError, cached_path, get, presence


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def small(sets, server):
    """The data set `small` is the whole registry."""
    one = server.dataset()
    sets(one)
    return one


@pytest.fixture
def unsigned(sets, server):
    """The same, of unknown checksum."""
    one = server.dataset(sha256=None, checksum_from=None)
    sets(one)
    return one


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_cache_is_where_the_variable_says(monkeypatch, tmp_path):
    monkeypatch.setenv("DCSIM_CACHE", str(tmp_path / "elsewhere"))
    assert datasets.cache_folder() == tmp_path / "elsewhere"
    monkeypatch.setenv("DCSIM_CACHE", "")
    assert datasets.cache_folder().name == "dcsim"


def test_get_brings_the_file_once(small, base, pages, server, cache):
    assert presence(small) == "no"
    first, again = get("small", base=base), get("small", base=base)
    assert first == datasets.Got("small", cache / "small.csv", sha256(server.CONTENT), downloaded=True)
    assert again == datasets.Got("small", cache / "small.csv", sha256(server.CONTENT), downloaded=False)
    assert first.path.read_bytes() == server.CONTENT
    assert len(pages["small.csv"].asked) == 1
    assert names(cache) == ["small.csv"]
    assert presence(small) == "yes"
    assert cached_path("small") == first.path


def test_get_into_a_folder(small, base, cache, tmp_path):
    assert get("small", tmp_path / "a" / "b", base=base).path == tmp_path / "a" / "b" / "small.csv"
    assert not cache.exists()
    assert presence(small, tmp_path / "a" / "b") == "yes"


def test_a_wrong_checksum_removes_the_file(small, base, pages, server, cache):
    pages["small.csv"].content = server.CHANGED
    line = (
        f"small: wrong checksum: SHA-256 expected {small.sha256}, found {sha256(server.CHANGED)}; the file is removed"
    )
    with pytest.raises(DownloadError, match=f"^{re.escape(line)}$"):
        get("small", base=base)
    assert names(cache) == []


def test_a_cut_download_is_kept_and_goes_on(small, base, pages, server, cache):
    pages["small.csv"].cuts = [200_000, 0]
    with pytest.raises(DownloadError, match="broke"):
        get("small", base=base)
    assert presence(small) == "part"
    have = (cache / "small.csv.part").stat().st_size
    assert get("small", base=base).path.read_bytes() == server.CONTENT
    assert pages["small.csv"].asked[-1] == (f"bytes={have}-", '"one"')
    assert names(cache) == ["small.csv"]


@pytest.mark.usefixtures("small")
def test_a_mixture_that_came_about_all_the_same_is_found(base, server, cache):
    cache.mkdir()
    (cache / "small.csv.part").write_bytes(b"not the beginning")
    (cache / "small.csv.part.tag").write_text('"one"')
    with pytest.raises(DownloadError, match="wrong checksum"):
        get("small", base=base)
    assert get("small", base=base).path.read_bytes() == server.CONTENT


@pytest.mark.usefixtures("small")
def test_a_damaged_file_is_said_and_brought_again(base, server, cache):
    get("small", base=base)
    (cache / "small.csv").write_bytes(b"damaged")
    with pytest.raises(DatasetError) as caught:
        cached_path("small")
    expected = f"SHA-256 expected {sha256(server.CONTENT)}, found {sha256(b'damaged')}"
    assert (
        str(caught.value) == f"{cache / 'small.csv'} has changed: {expected}; get it again with: dcsim data get small"
    )
    assert get("small", base=base).downloaded
    assert cached_path("small").read_bytes() == server.CONTENT


@pytest.mark.usefixtures("unsigned")
def test_an_unknown_checksum_is_recorded_at_the_first_download(base, pages, server, cache):
    get("small", base=base)
    assert (cache / "small.csv.sha256").read_text() == f"{sha256(server.CONTENT)}  small.csv\n"
    assert cached_path("small") == cache / "small.csv"
    (cache / "small.csv").write_bytes(b"damaged")
    with pytest.raises(DatasetError, match="has changed"):
        cached_path("small")
    pages["small.csv"].content = server.CHANGED
    with pytest.raises(DownloadError) as caught:
        get("small", base=base)
    advice = f"if the publisher has renewed it, remove {cache / 'small.csv.sha256'} and get it again"
    assert str(caught.value).endswith(f"found {sha256(server.CHANGED)}; the file is removed; {advice}")
    (cache / "small.csv.sha256").unlink()
    assert get("small", base=base).path.read_bytes() == server.CHANGED


@pytest.mark.usefixtures("unsigned")
def test_a_file_put_there_by_hand_is_taken(base, pages, cache):
    cache.mkdir()
    (cache / "small.csv").write_bytes(b"by hand")
    assert not get("small", base=base).downloaded
    assert pages["small.csv"].asked == []
    assert (cache / "small.csv.sha256").read_text() == f"{sha256(b'by hand')}  small.csv\n"


@pytest.mark.usefixtures("small")
def test_what_is_not_in_the_cache_names_the_command():
    with pytest.raises(
        DatasetError, match=r"^data set 'small' is not in the cache; get it with: dcsim data get small$"
    ):
        cached_path("small")


@pytest.mark.parametrize("use", [get, cached_path])
@pytest.mark.usefixtures("small")
def test_an_unknown_name(use):
    with pytest.raises(DatasetError, match=r"^unknown data set 'smal'; did you mean 'small'\?$"):
        use("smal")


@pytest.mark.usefixtures("small")
def test_no_network_says_what_failed_and_how_to_do_it_by_hand(cache):
    where = f"by hand: download http://127.0.0.1:1/small.csv and put it at {cache / 'small.csv'}"
    with pytest.raises(DownloadError, match=f"^{re.escape(f'small: no connection to 127.0.0.1:1 ({where})')}$"):
        get("small", base="http://127.0.0.1:1")


def test_without_another_base_only_https_is_asked(sets, server, base):
    sets(server.dataset(url=f"{base}/small.csv"))
    with pytest.raises(DownloadError, match="which is not https"):
        get("small")


@pytest.mark.usefixtures("small")
def test_http_404(base, pages):
    pages["small.csv"].status = 404
    with pytest.raises(DownloadError, match=r"^small: HTTP 404 Not Found "):
        get("small", base=base)


@pytest.mark.usefixtures("small")
def test_a_folder_that_cannot_be_written(base, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DownloadError, match=r"^small: cannot write .*file.*: (Not a directory|File exists)$"):
        get("small", tmp_path / "file" / "folder", base=base)


# ---------------------------------------------------------------- archives

JOBS = b"job_id,user\n1,a\n"


def zipped() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as bundle:
        bundle.writestr("data/Earth/jobs.csv", b"earth")
        bundle.writestr("data/Venus/jobs.csv", JOBS)
    return buffer.getvalue()


def taped() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tape:
        for name, content in (("./data/myVenus/jobs.csv", b"no"), ("./data/Venus/jobs.csv", JOBS)):
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tape.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def venus(server, content: bytes, member: str = "Venus/jobs.csv"):
    return server.dataset("venus", sha256=sha256(content), archive="jobs.archive", member=member, file="venus_jobs.csv")


@pytest.mark.parametrize("pack", [zipped, taped])
def test_one_file_is_taken_out_of_an_archive(sets, server, base, pages, cache, pack):
    content = pack()
    pages["jobs.archive"] = server.Page(content=content)
    one = venus(server, content)
    sets(one)
    got = get("venus", base=base)
    assert got.path.read_bytes() == JOBS
    assert got.sha256 == sha256(JOBS)
    assert names(cache) == ["jobs.archive", "venus_jobs.csv", "venus_jobs.csv.sha256"]
    assert cached_path("venus") == got.path
    got.path.write_bytes(b"damaged")
    assert get("venus", base=base).path.read_bytes() == JOBS
    got.path.unlink()
    assert presence(one) == "part"
    assert get("venus", base=base).path.read_bytes() == JOBS
    assert len(pages["jobs.archive"].asked) == 1


@pytest.mark.parametrize(
    ("content", "member", "problem"),
    [
        (zipped(), "Mars/jobs.csv", "no file 'Mars/jobs.csv' in the archive"),
        (taped(), "Mars/jobs.csv", "no file 'Mars/jobs.csv' in the archive"),
        (taped()[:60], "Venus/jobs.csv", "the archive is damaged"),
        (b"neither zip nor tar", "Venus/jobs.csv", "the archive is damaged"),
        (zipped().replace(JOBS, JOBS[::-1]), "Venus/jobs.csv", "the archive is damaged"),
    ],
    ids=["zip-without", "tar-without", "cut", "neither", "changed"],  # a tar's bytes hold the time
)
def test_an_archive_that_is_not_what_it_should_be(sets, server, base, pages, cache, content, member, problem):
    pages["jobs.archive"] = server.Page(content=content)
    sets(venus(server, content, member))
    with pytest.raises(DownloadError, match=f"^venus: .*jobs.archive: {problem}"):
        get("venus", base=base)
    assert not [name for name in names(cache) if name.startswith("venus")]
