"""A file of lines read from its end, in growing pieces: years of lines before it cost nothing."""

from __future__ import annotations

from pathlib import Path

from algo_pipeline.live.files import Files

_PIECE_BYTES = 1 << 14


def line_ending_at(files: Files, path: Path, offset: int) -> bytes | None:
    """Bytes of the line whose newline is the last byte before ``offset``, without it; None if no line ends there."""
    n_bytes = _PIECE_BYTES
    while True:
        start = max(0, offset - n_bytes)
        piece = files.read(path, start, offset)
        if len(piece) != offset - start or not piece.endswith(b"\n"):
            return None
        newline = piece.rfind(b"\n", 0, len(piece) - 1)
        if newline >= 0 or start == 0:
            return piece[newline + 1 : -1]
        n_bytes *= 4


def last_newline(files: Files, path: Path, size: int) -> int:
    """Offset behind the last newline in the first ``size`` bytes; 0 if there is none."""
    stop = size
    while stop > 0:
        start = max(0, stop - _PIECE_BYTES)
        found = files.read(path, start, stop).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        stop = start
    return 0
