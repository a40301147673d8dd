"""What every refusal is: a code of the book's and words of our own."""


class Refused(Exception):
    """Some bytes are not what they should be. `code` is a reason such as MUSTER-STM-0012."""

    def __init__(self, code: str, words: str):
        super().__init__(f"{words} ({code})")
        self.code = code
        self.words = words


def statement(number: int, words: str) -> Refused:
    """A refusal of the statement layer."""
    return Refused(f"MUSTER-STM-{number:04}", words)


def demand(holds: bool, number: int, words: str) -> None:
    """Refuses with a reason of the statement layer unless something holds."""
    if not holds:
        raise statement(number, words)
