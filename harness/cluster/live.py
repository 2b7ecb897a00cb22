"""The live page of a run on several hosts: jobs, hosts and verdicts so far, in a file that stays afterwards."""

from __future__ import annotations

import base64
import datetime
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import quote

from harness.cluster.board import BoardHost, BoardJob, LiveBoard
from harness.cluster.dispatch import Dispatcher
from harness.model import codec
from harness.model.job import JobEnd
from harness.model.spec import Verdict
from harness.platform.files.atomic import write_whole
from harness.platform.files.bounded import read_bounded
from harness.report.render import environment
from harness.report.view import (
    BAD,
    MUTED,
    Picture,
    Section,
    TableCell,
    TableRow,
    columns,
    symbol_of,
    table,
    texts,
    tone_of,
)
from harness.report.words import when_words

RENEW_S = 2.0
ROWS_MAX = 500
"""At most this many jobs are shown, the newest; all are counted."""
PICTURES_MAX, PICTURE_BYTES_MAX = 12, 300_000
WAITS, RUNS, DROPPED = "waits", "runs", "no time"
_BY_CODE = {verdict.exit_code: verdict for verdict in Verdict}


def board_of(dispatcher: Dispatcher, title: str, started: str, over: bool) -> LiveBoard:
    """A run as it stands now."""
    running = {ticket.waiting.job_id: ticket for ticket in dispatcher.tickets.values() if not ticket.suspected}
    now = dispatcher.clock()
    jobs = [_ended(end) for end in dispatcher.ended.values()]
    jobs += [
        BoardJob(one.waiting.wish.job.label, RUNS, dispatcher.roster.name(one.address), now - one.begun)
        for job_id, one in running.items()
        if job_id not in dispatcher.ended
    ]
    jobs += [
        BoardJob(one.wish.job.label, WAITS)
        for queue in dispatcher.waiting.kinds.values()
        for one in sorted(queue, key=lambda one: one.rank)
    ]
    jobs += [BoardJob(one.wish.job.label, DROPPED) for one in dispatcher.dropped]
    labels = {ticket.address: ticket.waiting.wish.job.label for ticket in running.values()}
    hosts = []
    for address, row in dispatcher.roster.rows.items():
        resting = "rests" if row.ready_at > now else "free"
        state = row.aside or labels.get(address) or resting
        hosts.append(BoardHost(row.name, tuple(sorted(row.slot.offers)), state, row.jobs_done, row.share, row.offset_s))
    at = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
    dashboard = dispatcher.engine.dashboard
    return LiveBoard(title, started, at, over, tuple(jobs), tuple(hosts), tuple(dispatcher.notices), dashboard)


def _ended(end: JobEnd) -> BoardJob:
    verdict = _BY_CODE.get(end.exit_code, Verdict.HARNESS_FAILED)
    words = [line for line in end.said if not line.startswith(("verdict:", "report:", "next:"))]
    said = next((line for line in words if line.startswith(verdict.value)), words[-1] if words else "")
    folder = Path(end.folder).name if end.folder else ""
    picture = ""
    if end.folder and verdict is not Verdict.PASS:
        found = sorted(Path(end.folder).glob("pictures/**/*.png"))
        picture = str(found[0].relative_to(end.folder)) if found else ""
    return BoardJob(end.job.label, verdict.value, end.host, end.seconds, said, folder, picture)


def live_page(board: LiveBoard, results: Path, prefix: str = "") -> str:
    """The page.

    Parameters
    ----------
    results
        Where the result folders lie, for their pictures.
    prefix
        From the page to that folder, in addresses.
    """
    ended = [job for job in board.jobs if job.state not in (WAITS, RUNS, DROPPED)]
    worst = Verdict.worst(Verdict(job.state) for job in ended)
    state = worst.value if board.over else f"running, {worst.value} so far" if ended else "running"
    counts = ", ".join(
        f"{number} {word}"
        for word, number in (
            ("done", len(ended)),
            ("running", _count(board.jobs, RUNS)),
            ("waiting", _count(board.jobs, WAITS)),
            ("dropped for lack of time", _count(board.jobs, DROPPED)),
        )
        if number
    )
    return (
        environment()
        .get_template("live.html.j2")
        .render(
            title=f"{state}: {board.title}",
            over=board.over,
            tone=tone_of(worst) if ended else MUTED,
            badge=f"{symbol_of(worst)} {state} · exit {worst.exit_code}" if board.over else state,
            heading=f"{board.title}: {counts}",
            times=f"started {when_words(board.started)}, {'ended' if board.over else 'as of'} {when_words(board.at)}",
            dashboard=board.dashboard,
            sections=(_hosts(board.hosts), _jobs(board.jobs, prefix)),
            pictures=_pictures(ended, results),
            notices=board.notices,
        )
    )


def _count(jobs: Sequence[BoardJob], state: str) -> int:
    return sum(job.state == state for job in jobs)


def _hosts(hosts: Sequence[BoardHost]) -> Section:
    rows = [
        TableRow(
            (
                TableCell(host.name, small=" ".join(host.offers)),
                TableCell(host.state),
                TableCell(str(host.jobs_done)),
                TableCell(f"{host.share:.2f}", BAD if host.share < 1 else ""),
            )
        )
        for host in sorted(hosts, key=lambda one: one.name)[:ROWS_MAX]
    ]
    lead = () if rows else ("No worker is there.",)
    return Section("Hosts", lead, table=table(columns("host", "does", "#cells done", "#share by noise"), rows))


def _jobs(jobs: Sequence[BoardJob], prefix: str) -> Section:
    ended = [job for job in jobs if job.state not in (WAITS, RUNS, DROPPED)]
    running = [job for job in jobs if job.state == RUNS]
    rest = [job for job in jobs if job.state in (WAITS, DROPPED)]
    shown = [*running, *ended[::-1], *rest]
    rows = [_job(job, prefix) for job in shown[:ROWS_MAX]]
    closing = (f"{len(shown) - ROWS_MAX} more are not shown",) if len(shown) > ROWS_MAX else ()
    return Section("Cells", table=table(columns("cell", "state", "host", "#seconds", "what"), rows), closing=closing)


def _job(job: BoardJob, prefix: str) -> TableRow:
    href = f"{prefix}{quote(job.folder, safe='')}/report.html" if job.folder else ""
    seconds = f"{job.seconds:.0f}" if job.seconds else "–"
    if job.state in (WAITS, RUNS, DROPPED):
        state = TableCell(f"{'▸' if job.state == RUNS else '·'} {job.state}", MUTED)
    else:
        verdict = Verdict(job.state)
        state = TableCell(f"{symbol_of(verdict)} {verdict.value}", tone_of(verdict))
    return TableRow((TableCell(job.label, href=href), state, *texts(job.host, seconds, job.said)))


def _pictures(jobs: Sequence[BoardJob], results: Path) -> tuple[Picture, ...]:
    found: list[Picture] = []
    for job in jobs:
        path = results / job.folder / job.picture
        if job.picture and len(found) < PICTURES_MAX and path.is_file() and path.stat().st_size <= PICTURE_BYTES_MAX:
            uri = f"data:image/png;base64,{base64.b64encode(read_bounded(path)).decode()}"
            found.append(Picture(uri, f"{job.label}: {path.name}"))
    return tuple(found)


class LivePage:
    """Keeps a page and its data beside the results up to date."""

    def __init__(self, results: Path, title: str, clock: Callable[[], float] = time.monotonic) -> None:
        self.results = results
        self.title = title
        self.clock = clock
        self.started = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
        self.board: LiveBoard | None = None
        self._written = -RENEW_S

    @property
    def path(self) -> Path:
        """Where it is while it runs."""
        return self.results / "cluster.html"

    def show(self, dispatcher: Dispatcher) -> None:
        """Write it again, unless it was written a moment ago."""
        if self.clock() - self._written >= RENEW_S:
            self._write(dispatcher, over=False)

    def end(self, dispatcher: Dispatcher) -> None:
        """The run is over."""
        self._write(dispatcher, over=True)

    def _write(self, dispatcher: Dispatcher, over: bool) -> None:
        self._written = self.clock()
        self.board = board_of(dispatcher, self.title, self.started, over)
        write_whole(self.path, live_page(self.board, self.results))

    def keep(self, folder: Path) -> None:
        """A copy in the folder of a run that is beside the others."""
        if self.board is not None:
            write_whole(folder / "cluster.html", live_page(self.board, self.results, "../"))
            write_whole(folder / "cluster.json", codec.to_json(self.board))


def page_from_file(path: Path) -> str:
    """The page of a run that is over, from its data.

    Raises
    ------
    OSError, CodecError
        When it cannot be read.
    """
    board = codec.from_json(LiveBoard, read_bounded(path).decode("utf-8", "replace"))
    return live_page(board, path.parent.parent, "../")
