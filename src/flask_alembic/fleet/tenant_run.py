"""One tenant is upgraded: by tapes as far as there are any, otherwise as any database
is.
"""

from __future__ import annotations

import logging
import time
import typing as t
from dataclasses import replace

from ..database_run import DatabaseRun
from ..fleet_reports import TenantResult
from ..locks import Patience
from ..replay import CantReplay
from ..replay import Replay
from ..run_errors import report_of
from ..run_errors import RunLocked
from ..steps import step_name
from .telling import tell

if t.TYPE_CHECKING:
    from alembic.runtime.migration import MigrationStep

    from ..arguments import RevisionArgument
    from ..environment import Environment
    from ..reports import AppliedStep
    from ..tapes import Kind
    from ..tenants import Tenant
    from .fleet import Fleet

_log = logging.getLogger("flask_alembic")


def upgrade_tenant(fleet: Fleet, tenant: Tenant) -> TenantResult:
    """Upgrade a tenant.

    :param fleet: What it has in common with the others.
    :param tenant: The tenant.
    :return: What became of it. An error is told in there, not raised.
    """
    started = time.perf_counter()
    run = TenantRun(fleet, tenant)

    try:
        run.run()
        result = run.result()
    except Exception as error:
        result = replace(run.result(error), **tell(error, fleet, tenant))

    return replace(result, seconds=time.perf_counter() - started)


class TenantRun:
    """A run on one tenant.

    :param fleet: What it has in common with the others.
    :param tenant: The tenant.
    """

    def __init__(self, fleet: Fleet, tenant: Tenant) -> None:
        self._fleet = fleet
        self._tenant = tenant
        self._steps: list[AppliedStep] = []
        self._replayed = 0
        self._is_neutral = True

    def result(self, error: Exception | None = None) -> TenantResult:
        """What became of the tenant.

        :param error: What ended the run.
        """
        report = error and report_of(error)
        steps = (*self._steps, *(report.steps if report else ()))
        state = "failed" if error else "done" if steps else "already there"
        name = self._tenant.name
        return TenantResult(name, t.cast(t.Any, state), steps, self._replayed)

    def run(self) -> None:
        """Run all that is to be run.

        :raises Exception: What ended the run.
        """
        with self._fleet.entered(self._tenant) as environment:
            is_over = False

            while not is_over:
                is_over = self._advance(environment)

            if not self._is_neutral and environment.connections.keep_pooled:
                # The next tenant is not to find what a revision has set.
                environment.connections.leave_pool()

    def _advance(self, environment: Environment) -> bool:
        """Go on in the one way or the other.

        :return: Whether nothing is left to be done.
        """
        try:
            replay = self._make_replay(environment)
            waiting = self._replay(environment, replay)
        except RunLocked:
            raise
        except CantReplay:
            return self._run_all(environment)
        except Exception as error:
            # What is wrong is better told, or waited for, where revisions run.
            _log.debug("'%s' is not replayed: %s", self._tenant.name, type(error))
            environment.close(commit=False)
            return self._run_all(environment)

        return waiting is None or self._run_waiting(environment, replay.kind, waiting)

    def _make_replay(self, environment: Environment) -> Replay:
        fleet, library = self._fleet, self._fleet.library

        if not fleet.job.replays:
            raise CantReplay

        context = fleet.alembic.migration_contexts[fleet.name]
        settings, names = environment.run_settings, tuple(fleet.databases)
        database = DatabaseRun(fleet.name, context, names, settings)
        return Replay(database, library.tapes, library.scores, fleet.work)

    def _replay(self, environment: Environment, replay: Replay) -> MigrationStep | None:
        try:
            return replay.run(Patience(environment.run_settings.lock_timeout))
        finally:
            self._steps += replay.done
            self._replayed += len(replay.done)
            self._is_neutral &= replay.is_neutral

    def _run_all(self, environment: Environment) -> bool:
        with self._fleet.library.turn:
            self._run(environment, self._fleet.job.target)

        return True

    def _run_waiting(
        self, environment: Environment, kind: Kind, waiting: MigrationStep
    ) -> bool:
        """Run the revision that there is no tape of; if it was not run anywhere yet,
        all that come after it as well.

        :return: Whether nothing is left to be done.
        """
        with self._fleet.library.turn:
            tape = self._fleet.library.tapes.find(kind, waiting)

            if tape is None:
                self._run(environment, self._fleet.job.target)
                return True

            # Otherwise another thread has run it while we waited for our turn.
            if tape.obstacle:
                self._run(environment, step_name(waiting))

            return False

    def _run(self, environment: Environment, target: RevisionArgument) -> None:
        self._is_neutral = False
        environment.recorder = self._fleet.library.recorder
        alembic = self._fleet.alembic
        report = alembic.upgrade(target)
        # A method that an app overrides need not return anything.
        self._steps += (report or alembic.last_report).steps
