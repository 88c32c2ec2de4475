"""What the product can count about itself. Here nobody counts; see ``app.core.prometheus``."""

MULTIPROC = "PROMETHEUS_MULTIPROC_DIR"


class Meters:
    """Told by whoever does the work. Each call is short and never fails."""

    def request_began(self) -> None:
        """An HTTP request."""

    def request_ended(self, method: str, route: str, status: int | None, seconds: float) -> None:
        """``route`` has names in place of ids; ``status`` is ``None`` when none was sent."""

    def socket_ended(self, route: str, status: int | None) -> None:
        """A WebSocket, or the refusal of one."""

    def job_ended(self, kind: str, outcome: str, seconds: float) -> None:
        """One attempt at a job."""

    def chore_ended(self, name: str, seconds: float, *, is_done: bool) -> None:
        """Work by the clock."""

    def batches_stored(self, batches: int, spans: int, rejected: int, seconds: float) -> None:
        """Requests of runtimes that were stored together, in one transaction."""

    def batch_refused(self) -> None:
        """A runtime was asked to send its request again, because too much was on its way."""


SILENT = Meters()
