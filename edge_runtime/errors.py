"""The errors that reach a user, each with its exit status; everything else is a defect of ours and keeps its traceback."""


class PixieError(Exception):
    """An error told to the user in one line, `pixie: FILE: FIELD: reason and remedy`."""

    status = 1

    def __init__(self, file: object, field: str, reason: str) -> None:
        super().__init__(f"{file}: {field}: {reason}")


class InputError(PixieError):
    """Bad input or usage, found at the door: exit status 2."""

    status = 2


class MissingError(PixieError):
    """Something is missing on this machine, an extra or disk space: exit status 3."""

    status = 3
