"""Count the steps that a backtracking matcher takes, as Python's `re` is one.

It walks the tree that `re` itself parses, tries what `re` tries in the same order, and counts each character looked
at. What `re` leaves out because it sees ahead only makes it faster.
"""

import re
import sys
from collections.abc import Iterator
from importlib import import_module
from itertools import takewhile
from typing import Any

# No public module has the tree; these are in every CPython since 3.11, and a change would fail loudly.
codes: Any = import_module("re._constants")
parser: Any = import_module("re._parser")

METHODS = ("match", "fullmatch", "search", "findall", "finditer", "sub", "subn", "split")


class Counter:
    """One pattern; `steps` counts what its matches cost."""

    def __init__(self, pattern: "re.Pattern[Any]") -> None:
        self.tree = parser.parse(pattern.pattern, pattern.flags & ~re.DEBUG)
        self.flags = pattern.flags
        self.steps = 0

    def run(self, method: str, text: Any) -> bool:
        """Do what the method of a compiled pattern does; tell whether it found something."""
        items = list(text) if isinstance(text, bytes) else [ord(char) for char in text]
        if method in ("match", "fullmatch"):
            ends = self._sequence(self.tree, 0, items, 0)
            return any(method == "match" or end == len(items) for end in ends)
        found = False
        start = 0
        while start <= len(items):
            end = next(self._sequence(self.tree, 0, items, start), None)
            if end is None:
                start += 1
                continue
            found = True
            if method == "search":
                break
            start = max(end, start + 1)
        return found

    def _sequence(self, tree: Any, index: int, text: list[int], at: int) -> Iterator[int]:
        """Yield where the part of *tree* from *index* on may end, the end that `re` prefers first."""
        if index == len(tree):
            yield at
            return
        for end in self._node(*tree[index], text, at):
            yield from self._sequence(tree, index + 1, text, end)

    def _node(self, code: Any, argument: Any, text: list[int], at: int) -> Iterator[int]:
        self.steps += 1
        if code in _ONE_CHARACTER:
            if at < len(text) and self._accepts(code, argument, text[at]):
                yield at + 1
        elif code is codes.SUBPATTERN:
            yield from self._sequence(argument[3], 0, text, at)
        elif code is codes.BRANCH:
            for branch in argument[1]:
                yield from self._sequence(branch, 0, text, at)
        elif code is codes.ATOMIC_GROUP:
            end = next(self._sequence(argument, 0, text, at), None)
            if end is not None:
                yield end
        elif code in (codes.ASSERT, codes.ASSERT_NOT):
            direction, body = argument
            start = at if direction > 0 else at - body.getwidth()[0]  # what is behind has one width
            ends = self._sequence(body, 0, text, start) if start >= 0 else iter(())
            if (next(ends, None) is not None) is (code is codes.ASSERT):
                yield at
        elif code is codes.AT:
            if self._is_at(argument, text, at):
                yield at
        elif code in (codes.MAX_REPEAT, codes.MIN_REPEAT, codes.POSSESSIVE_REPEAT):
            least, most, body = argument
            if len(body) == 1 and body[0][0] in _ONE_CHARACTER:
                ends = self._repeated_character(*body[0], least, most, text, at)
            else:
                ends = self._repeated(body, 0, least, most, text, at)
            if code is codes.MIN_REPEAT:
                ends = iter(sorted(ends))
            elif code is codes.POSSESSIVE_REPEAT:
                first = next(ends, None)
                ends = iter(()) if first is None else iter((first,))
            yield from ends
        else:
            raise NotImplementedError(f"{code} is not counted yet: teach {__name__} to")

    @staticmethod
    def _is_at(place: Any, text: list[int], at: int) -> bool:
        if place in _STARTS:
            return at == 0
        if place in _ENDS:
            last = at == len(text) - 1 and text[at] == 10 and place is codes.AT_END
            return at == len(text) or last
        raise NotImplementedError(f"{place} is not counted yet: teach {__name__} to")

    def _repeated_character(
        self, code: Any, argument: Any, least: int, most: int, text: list[int], at: int
    ) -> Iterator[int]:
        count = 0
        while count < most and at + count < len(text):
            self.steps += 1
            if not self._accepts(code, argument, text[at + count]):
                break
            count += 1
        while count >= least:
            self.steps += 1
            yield at + count
            count -= 1

    def _repeated(
        self, body: Any, done: int, least: int, most: int, text: list[int], at: int
    ) -> Iterator[int]:
        if done < most:
            for end in self._sequence(body, 0, text, at):
                if end > at or done < least:
                    yield from self._repeated(body, done + 1, least, most, text, end)
        if done >= least:
            yield at

    def _accepts(self, code: Any, argument: Any, char: int) -> bool:
        cases = {char}
        if self.flags & re.IGNORECASE:
            cases |= {
                ord(char_) for char_ in (chr(char).lower(), chr(char).upper()) if len(char_) == 1
            }
        return any(self._accepts_exactly(code, argument, case) for case in cases)

    def _accepts_exactly(self, code: Any, argument: Any, char: int) -> bool:
        if code is codes.ANY:
            return bool(self.flags & re.DOTALL) or char != 10
        if code is codes.LITERAL:
            return bool(char == argument)
        if code is codes.NOT_LITERAL:
            return bool(char != argument)
        negated = argument[0][0] is codes.NEGATE
        return negated is not any(_in_set(*item, char) for item in argument[negated:])


def _in_set(code: Any, argument: Any, char: int) -> bool:
    if code is codes.LITERAL:
        return bool(char == argument)
    if code is codes.RANGE:
        return bool(argument[0] <= char <= argument[1])
    if code is codes.CATEGORY:
        return re.fullmatch(_CATEGORIES[argument], chr(char)) is not None
    raise NotImplementedError(f"{code} in a set is not counted yet: teach {__name__} to")


_ONE_CHARACTER = (codes.LITERAL, codes.NOT_LITERAL, codes.ANY, codes.IN)
_STARTS = (codes.AT_BEGINNING, codes.AT_BEGINNING_STRING)
_ENDS = (codes.AT_END, codes.AT_END_STRING)
_CATEGORIES = {
    codes.CATEGORY_DIGIT: r"\d",
    codes.CATEGORY_NOT_DIGIT: r"\D",
    codes.CATEGORY_SPACE: r"\s",
    codes.CATEGORY_NOT_SPACE: r"\S",
    codes.CATEGORY_WORD: r"\w",
    codes.CATEGORY_NOT_WORD: r"\W",
}


def words_of(tree: Any) -> set[str]:
    """Return the characters and words that the pattern speaks of, one for each set."""
    found: set[str] = set()
    word = ""
    for code, argument in [*tree, (None, None)]:
        if code is codes.LITERAL:
            word += chr(argument)
            continue
        if word:
            found |= {word, word[0]}
            word = ""
        if code is codes.IN:
            found.add(_member(argument))
        elif code in (codes.ANY, codes.NOT_LITERAL):
            found.add("q")
        elif code is codes.SUBPATTERN:
            found |= words_of(argument[3])
        elif code is codes.ATOMIC_GROUP:
            found |= words_of(argument)
        elif code is codes.BRANCH:
            for branch in argument[1]:
                found |= words_of(branch)
        elif code in (codes.ASSERT, codes.ASSERT_NOT):
            found |= words_of(argument[1])
        elif code in (codes.MAX_REPEAT, codes.MIN_REPEAT, codes.POSSESSIVE_REPEAT):
            found |= words_of(argument[2])
    return found


def _member(items: Any) -> str:
    negated = items[0][0] is codes.NEGATE
    for char in (*range(33, 127), *range(33), *range(127, 0xE000)):
        if negated is not any(_in_set(*item, char) for item in items[negated:]):
            return chr(char)
    raise NotImplementedError("a set without members")


def worst_texts(pattern: "re.Pattern[Any]", size: int) -> Iterator[Any]:
    """Yield texts of about *size* characters that make a careless pattern backtrack."""
    tree = parser.parse(pattern.pattern, pattern.flags & ~re.DEBUG)
    words = sorted(words_of(tree))
    begin = "".join(chr(char) for _, char in takewhile(lambda node: node[0] is codes.LITERAL, tree))
    runs = [*words, *(first + second for first in words for second in words if first != second)]
    for run in runs[:60]:
        text = (run * (size // len(run) + 1))[:size]
        for whole in (text, f"{text}\0", f"{words[-1]}{text}\n", f"{begin}{text}\n"):
            yield (
                whole.encode("latin-1", "replace") if isinstance(pattern.pattern, bytes) else whole
            )


def growth(pattern: "re.Pattern[Any]", method: str, size: int) -> tuple[float, float, Any]:
    """Return how the steps grow when a text is twice as long, the most of them for a character, and the worst text."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(before, 100 * size))  # a repeated group nests as deep as it repeats
    try:
        return _growth(pattern, method, size)
    finally:
        sys.setrecursionlimit(before)


def _growth(pattern: "re.Pattern[Any]", method: str, size: int) -> tuple[float, float, Any]:
    worst = (0.0, 0.0, b"" if isinstance(pattern.pattern, bytes) else "")
    for short, long in zip(worst_texts(pattern, size), worst_texts(pattern, 2 * size), strict=True):
        steps = []
        for text in (short, long):
            counter = Counter(pattern)
            found = counter.run(method, text)
            assert found == bool(_real(pattern, method, text)), (pattern, method, text)
            steps.append(counter.steps)
        worst = max(
            worst, (steps[1] / steps[0] if steps[0] > size else 1.0, steps[1] / (2 * size), long)
        )
    return worst


def _real(pattern: "re.Pattern[Any]", method: str, text: Any) -> Any:
    return getattr(pattern, method if method in ("match", "fullmatch") else "search")(text)
