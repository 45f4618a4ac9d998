"""The queue of a body's pieces, between the connection that feeds it and the reader."""

from collections import deque


class PieceQueue:
    """Bytes in the pieces in which they came; the first piece may be partly taken."""

    __slots__ = ("offset", "pieces", "size")

    def __init__(self) -> None:
        self.pieces: deque[bytes] = deque()
        self.offset: int = 0  # in the first piece
        self.size: int = 0  # of all pieces, without taken bytes

    def append(self, piece: bytes) -> None:
        """Append *piece*."""
        self.pieces.append(piece)
        self.size += len(piece)

    def put_back(self, piece: bytes) -> None:
        """Put *piece* in front."""
        if self.offset:
            self.pieces[0] = self.pieces[0][self.offset :]
            self.offset = 0
        self.pieces.appendleft(piece)
        self.size += len(piece)

    def peek(self, n: int) -> bytes:
        """Return up to *n* bytes without taking them."""
        parts = []
        start = self.offset
        for piece in self.pieces:
            if n <= 0:
                break
            part = piece[start : start + n]
            parts.append(part)
            n -= len(part)
            start = 0
        return b"".join(parts)

    def take_piece(self) -> bytes:
        """Take the rest of the first piece; empty if there is none."""
        if not self.pieces:
            return b""
        piece = self.pieces.popleft()
        if self.offset:
            piece = piece[self.offset :]
            self.offset = 0
        self.size -= len(piece)
        return piece

    def take(self, n: int) -> bytes:
        """Take at most *n* bytes."""
        pieces = self.pieces
        offset = self.offset
        if n >= self.size:
            if offset:
                pieces[0] = pieces[0][offset:]
            data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
            self.clear()
            return data
        self.size -= n
        end = offset + n
        head = pieces[0]
        if end < len(head):
            self.offset = end
            return head[offset:end]
        self.offset = 0
        pieces.popleft()
        if end == len(head):
            return head[offset:] if offset else head
        missing = end - len(head)
        parts = [head[offset:]]
        while missing >= len(pieces[0]):
            head = pieces.popleft()
            parts.append(head)
            missing -= len(head)
        if missing:
            parts.append(pieces[0][:missing])
            self.offset = missing
        return b"".join(parts)

    def drop_last(self) -> bytes:
        """Remove and return the last piece."""
        piece = self.pieces.pop()
        self.size -= len(piece)
        return piece

    def merge_last(self, count: int) -> None:
        """Merge the last *count* pieces into one."""
        last = [self.pieces.pop() for _ in range(min(count, len(self.pieces)))]
        last.reverse()
        self.pieces.extend((b"".join(last),))  # not append(), which may be watched

    def clear(self) -> None:
        """Remove everything."""
        self.pieces.clear()
        self.offset = 0
        self.size = 0
