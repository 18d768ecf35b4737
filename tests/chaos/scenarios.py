"""What happens to the upgrades of a round. Each scenario leaves processes that end by
themselves; the round waits for them.
"""

from __future__ import annotations

import os
import signal
import time
import typing as t

import sqlalchemy as sa

from .plan import Revision
from .rounds import Round

Scenario = t.Callable[[Round], None]


def run(scenario: Scenario, round_: Round) -> None:
    """Let it happen, and wait until all processes have ended.

    :param scenario: One of :data:`SCENARIOS`.
    :param round_: The round.
    """
    round_.scenario = scenario.__name__.replace("_", " ")
    scenario(round_)
    round_.wait()
    round_.note_hanging()


def kill_at_a_statement(round_: Round) -> None:
    """It is gone before or after a statement."""
    round_.start(round_.point())
    _count_signal(round_, "kill -9 at a statement", signal.SIGKILL)


def kill_at_some_time(round_: Round) -> None:
    """It is gone within a statement, or anywhere."""
    process = round_.start()
    time.sleep(round_.moment())
    process.send(signal.SIGKILL)
    _count_signal(round_, "kill -9 at some time", signal.SIGKILL)


def kill_twice(round_: Round) -> None:
    """What goes on after a kill is killed too."""
    for _ in range(2):
        round_.start(round_.point()).wait()

    _count_signal(round_, "kill -9 at a statement", signal.SIGKILL)


def sigterm(round_: Round) -> None:
    """It is told to end, at a statement or at some time."""
    if round_.random.random() < 0.5:
        round_.start(round_.point("SIGTERM")).wait()
    else:
        process = round_.start()
        time.sleep(round_.moment())
        process.send(signal.SIGTERM)

    round_.wait()
    round_.fault("SIGTERM", sum(process.result != 0 for process in round_.processes))


def race(round_: Round) -> None:
    """Several upgrade at once, and nothing is wrong with any of them."""
    count = round_.random.randint(2, 8)

    for _ in range(count):
        round_.start()

    round_.fault("processes at once", count)
    _no_failure(round_)


def race_with_kills(round_: Round) -> None:
    """Several upgrade at once, and some of them are gone on the way."""
    count = round_.random.randint(2, 8)
    killed = round_.random.randint(1, count - 1)

    for number in range(count):
        round_.start(round_.point() if number < killed else None)

    time.sleep(round_.moment())
    round_.random.choice(round_.processes).send(signal.SIGKILL)
    round_.fault("processes at once", count)
    _count_signal(round_, "kill -9 in a race", signal.SIGKILL)


def stopped_holder(round_: Round) -> None:
    """One is stopped while it migrates, and goes on a moment later. The others wait."""
    round_.start(round_.point("SIGSTOP"))
    time.sleep(round_.random.uniform(0, 0.3))

    for _ in range(round_.random.randint(1, 3)):
        round_.start()

    time.sleep(round_.random.uniform(0.3, 1))
    round_.fault("SIGSTOP")
    _wake(round_)
    _no_failure(round_)


def session_terminated(round_: Round) -> None:
    """The administrator ends a session, or all of them."""
    for _ in range(round_.random.choice([1, 1, 2, 4])):
        round_.start()

    for _ in range(round_.random.randint(1, 3)):
        time.sleep(round_.moment() / 2)
        chosen = round_.random if round_.random.random() < 0.6 else None
        round_.fault("session terminated", round_.database.terminate(chosen))


def idle_reader(round_: Round) -> None:
    """A reader stays in its transaction on tables that are altered."""
    seconds = round_.random.uniform(0.3, 2)
    ready, told = os.pipe()

    def read() -> None:
        with round_.database.connect() as connection:
            for table in ("parent", "tally"):
                connection.execute(sa.text(f"SELECT * FROM {table}")).fetchone()

            os.write(told, b".")
            time.sleep(seconds)

    reader = round_.fork(read)
    os.close(told)
    os.read(ready, 1)
    os.close(ready)

    for _ in range(round_.random.choice([1, 1, 3])):
        round_.start()

    round_.fault("idle reader")
    reader.wait()


def mended_revision(round_: Round) -> None:
    """A revision fails somewhere, and its author mends it."""
    revision = _break(round_)

    for _ in range(round_.random.choice([1, 1, 2, 4])):
        round_.start()

    round_.wait()
    round_.fault("failing revision")
    round_.project.write_revision(revision)


def mended_after_kill(round_: Round) -> None:
    """It was killed, then a revision failed, then that was mended."""
    kill_at_a_statement(round_)
    mended_revision(round_)


def full_disk(round_: Round) -> None:
    """The disk is full on the way, and then has room again."""
    pages = round_.random.randint(1, 24)
    limit = None

    if round_.disk.is_mounted:
        round_.disk.shrink(pages)
    else:
        path = round_.disk.folder / "data.db"
        limit = path.stat().st_size + pages * 4096

    result = round_.start(file_limit=limit).wait()
    round_.fault("disk full", int(result != 0))
    round_.disk.grow()


EVERYWHERE: t.Final[tuple[Scenario, ...]] = (
    kill_at_a_statement,
    kill_at_some_time,
    kill_twice,
    sigterm,
    race,
    race_with_kills,
    stopped_holder,
    idle_reader,
    mended_revision,
    mended_after_kill,
)

SCENARIOS: t.Final[dict[str, tuple[Scenario, ...]]] = {
    "sqlite": (*EVERYWHERE, full_disk),
    "postgresql": (*EVERYWHERE, session_terminated),
    "mariadb": (*EVERYWHERE, session_terminated),
}
"""What can happen to each kind of database."""


def _break(round_: Round) -> Revision:
    revision = round_.random.choice(round_.plan.revisions)
    place = round_.random.randint(0, len(revision.operations))
    round_.project.write_revision(revision, place)
    return revision


def _count_signal(round_: Round, name: str, number: int) -> None:
    results = round_.wait()
    round_.fault(name, results.count(-number))


def _no_failure(round_: Round) -> None:
    results = round_.wait()
    failed = [result for result in results if result != 0]

    if failed:
        text = f"{len(failed)} of {len(results)} ended with {failed}"
        round_.found.add("failed needlessly", text)


def _wake(round_: Round) -> None:
    """Let the stopped one go on, also if it stops later than expected."""
    deadline = time.monotonic() + 20

    while not all(process.ended() for process in round_.processes):
        for process in round_.processes:
            process.send(signal.SIGCONT)

        if time.monotonic() > deadline:
            break

        time.sleep(0.2)
