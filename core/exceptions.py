"""Expected failures: what the caller did cannot be done, and a person can be told why."""


class DomainError(Exception):
    """업무 오류: carries a finished Korean sentence for the screen, a slug for programs, and an HTTP status."""

    code = "domain_error"
    status = 400

    def __init__(self, message: str, *, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        if code is not None:
            self.code = code


class Conflict(DomainError):
    """충돌: somebody else was first, or the row is no longer what the caller saw."""

    code = "conflict"
    status = 409


class NotFound(DomainError):
    """없음: nothing is stored under what was asked for."""

    code = "not_found"
    status = 404


class NotAllowed(DomainError):
    """권한 없음: the caller lacks the right for this act."""

    code = "not_allowed"
    status = 403
