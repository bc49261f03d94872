"""Texts in HDF5 files, read from the file itself: the HDF5 library hangs or crashes where their heaps are damaged.

A text of variable length is stored as its length (4 bytes), the address of a global heap (8) and an index in it (4). A
global heap is `GCOL`, version 1, three zeros and its size, then objects of index, count, size and content; index 0 is
free space (HDF5 File Format Specification 3.0, sections III.E and VII). Numbers are little-endian.
"""

from __future__ import annotations

import struct
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import h5py

_HEAP = b"GCOL\x01\0\0\0"
_HEADER = 16


class Texts:
    """Texts of one file. Raises ValueError for a damaged one; to be closed."""

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            if not file.seek(0, 2):
                raise ValueError("the file is empty")
            self._content = mmap(file.fileno(), 0, access=ACCESS_READ)
        self._objects: dict[tuple[int, int], tuple[int, int]] = {}
        start = self._content.find(_HEAP)
        while start >= 0:
            self._add_heap(start)
            start = self._content.find(_HEAP, start + 1)

    def close(self) -> None:
        """Let go of the file."""
        self._content.close()

    def of(self, dataset: h5py.Dataset) -> list[str]:
        """All texts of a dataset, row by row."""
        import h5py

        kind = h5py.check_string_dtype(dataset.dtype)
        if kind is None:
            raise ValueError(f"found {dataset.dtype} where a text should be")
        if kind.length is not None:
            flat = dataset[()].ravel() if dataset.shape else [dataset[()]]
            return [bytes(text).decode("utf-8", "replace") for text in flat]
        offset, count = dataset.id.get_offset(), dataset.size
        if offset is None or dataset.id.get_storage_size() != 16 * count or offset + 16 * count > len(self._content):
            raise ValueError("found a text that is not stored in one piece")
        base = dataset.file.userblock_size
        return [self._text(base, *struct.unpack_from("<IQI", self._content, offset + 16 * n)) for n in range(count)]

    def _text(self, base: int, length: int, heap: int, index: int) -> str:
        if length == 0:
            return ""
        place, size = self._objects.get((heap + base, index), (0, 0))
        if length > size:
            raise ValueError("a text is damaged")
        return self._content[place : place + length].decode("utf-8", "replace")

    def _add_heap(self, start: int) -> None:
        """Note where the objects of a heap lie. Data that only looks like a heap adds objects that nothing names."""
        end = min(start + int.from_bytes(self._content[start + 8 : start + 16], "little"), len(self._content))
        place = start + _HEADER
        while place + _HEADER <= end:
            index, _, size = struct.unpack_from("<HHxxxxQ", self._content, place)
            if index == 0:
                return
            if place + _HEADER + size <= end:
                self._objects[start, index] = place + _HEADER, size
            place += _HEADER + (size + 7) // 8 * 8
