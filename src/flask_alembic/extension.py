"""The extension: what an app and its code hold. Every verb leads to another room."""

from __future__ import annotations

import typing as t
from contextlib import contextmanager
from contextlib import nullcontext
from functools import partial

from flask import has_request_context

from . import operations
from .app_binding import AppBinding

if t.TYPE_CHECKING:
    from concurrent.futures import Executor
    from pathlib import Path

    from alembic.operations import MigrationScript
    from alembic.runtime.migration import MigrationContext
    from alembic.runtime.migration import MigrationStep
    from alembic.script import Script
    from flask import Flask

    from .adopt_reports import AdoptReport
    from .arguments import RevisionArgument
    from .call_options import Databases
    from .call_options import XArguments
    from .compat import Cache
    from .compat import t_rev as t_rev
    from .fleet import Fleet
    from .fleet_reports import FleetProgress
    from .fleet_reports import FleetReport
    from .fleet_reports import FleetStatus
    from .history_reports import Finding
    from .history_reports import HistoryEntry
    from .history_reports import RepairReport
    from .operations.scratch_runs import Scratches
    from .reports import CheckReport
    from .reports import CurrentRevisions
    from .reports import Differences
    from .reports import NewRevisions
    from .reports import VersionTable
    from .run_reports import MigrationReport
    from .snapshot_reports import PrepareReport
    from .snapshot_reports import SnapshotCheck
    from .snapshot_reports import SnapshotReport
    from .tenant_list import Targets
    from .tenants import Tenant

    Labels = str | t.Sequence[str] | None
    Work = t.Callable[
        [tuple[str, ...], MigrationContext], t.Iterable[MigrationStep] | None
    ]
else:
    t_rev = t.Any  # what it stands for is for type checkers


class Alembic(AppBinding):
    """Alembic's migrations for a Flask app.

    One object may serve several apps. Apart from :meth:`init_app` everything needs an
    app context, and acts on the app of that context.

    :param app: Call :meth:`init_app` on this app.
    :param run_mkdir: Whether :meth:`init_app` makes the migrations folder.
    :param command_name: Name of the command group that :meth:`init_app` adds. The
        empty string adds none.
    :param metadatas: What to migrate to: a ``MetaData``, a list of them for one
        database, or a dict of database name to either. Flask-SQLAlchemy's
        ``db.metadata`` is used if this is not given.
    :param engines: What to migrate: an ``Engine`` or ``AsyncEngine``, or a dict of
        database name to them. Those of Flask-SQLAlchemy or Flask-SQLAlchemy-Lite are
        used if this is not given.
    :raises ConfigurationError: If an argument is of another type.

    .. versionchanged:: 4.0
        A new implementation, with the same names.
    """

    # Look

    def current(
        self, *, databases: Databases | None = None, skip_missing: bool = False
    ) -> tuple[Script, ...]:
        """The revisions that the databases are at.

        :param databases: The names of the databases to work on, instead of all.
        :param skip_missing: Whether to leave out ids that no file has. Otherwise they
            are an error.
        :return: The revisions of all databases, each once.

        .. versionchanged:: 4.0
            Added ``databases`` and ``skip_missing``.
        """
        with self._lent(databases=databases):
            return operations.read.current(self, skip_missing)

    def current_by_database(
        self, *, databases: Databases | None = None, skip_missing: bool = False
    ) -> CurrentRevisions:
        """The revisions that each database is at.

        :param databases: The names of the databases to work on, instead of all.
        :param skip_missing: Whether to leave out ids that no file has: they are in the
            attribute ``unknown``. Otherwise they are an error.
        :return: A dict of name to revisions.

        .. versionadded:: 4.0
        """
        with self._lent(databases=databases):
            return operations.read.current_by_database(self, skip_missing)

    def current_ids(
        self, *, databases: Databases | None = None
    ) -> dict[str, tuple[str, ...]]:
        """The ids that are in the version table of each database, whether or not a file
        has them. This takes one statement, and does not load Alembic.

        :param databases: The names of the databases to work on, instead of all.
        :return: A dict of name to ids; none for an empty database.

        .. versionadded:: 4.0
        """
        with self._choosing(databases):
            if (found := self._look()) is not None:
                return found

        with self._lent(databases=databases):
            return operations.read.current_heads(self)

    def needs_upgrade(self, *, databases: Databases | None = None) -> bool:
        """Whether :meth:`upgrade` has something to do.

        It can be asked at each request: it sends one statement to each database, on a
        connection of the app's pool, and reads no file that did not change. A revision
        file that is changed in its place is noticed within a second.

        :param databases: The names of the databases to work on, instead of all.
        :return: ``True`` if any database is not at the head revisions.

        .. versionchanged:: 4.0
            Added ``databases``.
        """
        with self._choosing(databases):
            if (found := self._look()) is not None:
                graph = self._read_graph(age=1.0)

                if all(id_ in graph for ids in found.values() for id_ in ids):
                    heads = sorted(graph.effective_heads)
                    return any(list(ids) != heads for ids in found.values())

        with self._lent(databases=databases):
            return operations.read.needs_upgrade(self)

    def heads(self, resolve_dependencies: bool = False) -> tuple[Script, ...]:
        """The revisions that no other revision revises.

        :param resolve_dependencies: Whether a revision that another one depends on is
            not a head.
        :return: The revisions.
        """
        return operations.read.heads(self, resolve_dependencies)

    def branches(self) -> list[Script]:
        """The revisions that more than one other revision revises.

        :return: The revisions, newest first.
        """
        return operations.read.branches(self)

    def log(
        self, start: RevisionArgument = "base", end: RevisionArgument = "heads"
    ) -> list[Script]:
        """The revisions from one to another.

        :param start: The oldest. ``"current"`` is where the databases are.
        :param end: The newest.
        :return: The revisions, newest first.
        """
        with self._lent():
            return operations.read.log(self, start, end)

    def show(self, revisions: RevisionArgument) -> list[Script]:
        """Certain revisions.

        :param revisions: Ids, parts of them, ``"head"``, ``"current"``.
        :return: The revisions, in the order asked for.

        .. versionadded:: 4.0
        """
        with self._lent():
            return operations.read.show(self, revisions)

    def applied(
        self, *, databases: Databases | None = None
    ) -> dict[str, tuple[HistoryEntry, ...]]:
        """What was applied to each database, undone and stamped, as it is noted there.

        :param databases: The names of the databases to look at, instead of all.
        :return: Name to entries, newest first. There are none where another tool did
            it, or where ``ALEMBIC["history"]`` is ``False``.

        .. versionadded:: 4.0
        """
        with self._lent(databases=databases):
            return operations.applied.applied(self)

    # Compare

    def check(self, *, databases: Databases | None = None) -> CheckReport:
        """Whether each database is at head, and the models match it.

        :param databases: The names of the databases to work on, instead of all.
        :return: The report. ``report.ok`` sums it up.

        .. versionadded:: 4.0
        """
        with self._lent(databases=databases):
            return operations.compare.check(self)

    def needs_revision(self, *, databases: Databases | None = None) -> bool:
        """Whether the models differ from a database.

        :param databases: The names of the databases to work on, instead of all.
        :return: ``True`` if :meth:`revision` would find something.

        .. versionchanged:: 4.0
            Added ``databases``.
        """
        with self._lent(databases=databases):
            return operations.compare.needs_revision(self)

    def compare_metadata(self, *, databases: Databases | None = None) -> Differences:
        """The differences between the models and the databases.

        :param databases: The names of the databases to work on, instead of all.
        :return: A list of Alembic's tuples over all databases, whose ``by_database``
            tells which database each is of.

        .. versionchanged:: 4.0
            Added ``databases``.
        """
        with self._lent(databases=databases):
            return operations.compare.compare_metadata(self)

    def produce_migrations(
        self, *, databases: Databases | None = None
    ) -> MigrationScript:
        """The operations that a new revision would hold.

        :param databases: The names of the databases to work on, instead of all.
        :return: Alembic's :class:`~alembic.operations.ops.MigrationScript`, with an
            entry for each database in ``upgrade_ops_list``.

        .. versionchanged:: 4.0
            Added ``databases``.
        """
        with self._lent(databases=databases):
            return operations.compare.produce_migrations(self)

    # Run

    def upgrade(
        self,
        target: RevisionArgument = "heads",
        *,
        databases: Databases | None = None,
        x: XArguments | None = None,
        tag: str | None = None,
        skip_missing: bool = False,
        wait: float | None = None,
    ) -> MigrationReport:
        """Run revisions up to a target, on all databases.

        :param target: An id, a part of one, a revision, ``"head"``, ``"heads"``,
            ``"label@head"``, or a count of steps: ``2``, ``"+2"``.
        :param databases: The names of the databases to work on, instead of all.
        :param x: Arguments for the revisions, as of :meth:`using`.
        :param tag: A text for the revisions, as of :meth:`using`.
        :param skip_missing: Whether to leave ids alone that no file has. Otherwise
            they are an error.
        :param wait: How long to try to connect to databases that are down, in seconds.
        :return: What was applied.
        :raises MigrationFailed: If a revision raises. It says what was applied before.
        :raises TableLocked: If others keep a table for too long that a revision needs.
        :raises ConnectionFailed: If a database can't be reached.
        :raises UnknownRevisionError: If no file has the id that a database is at; with
            ``skip_missing``, if a revision may have been applied before that.

        .. versionchanged:: 4.0
            Added ``databases``, ``x``, ``tag``, ``skip_missing`` and ``wait``.
        """
        with self.using(databases=databases, x=x, tag=tag, wait=wait):
            if not skip_missing and (found := self._settled(target)) is not None:
                return found

            return self._report(
                operations.upgrade.upgrade, target, skip_missing=skip_missing
            )

    def upgrade_all(
        self,
        tenants: Targets | None = None,
        target: RevisionArgument = "heads",
        *,
        workers: int | None = None,
        stop_on_error: bool = False,
        progress: t.Callable[[FleetProgress], object] | None = None,
        executor: Executor | None = None,
        app: str | t.Callable[[], Flask] | None = None,
    ) -> FleetReport:
        """Run revisions on many databases or schemas, several at a time. Each stands in
        for the app's default database, and is upgraded on its own: with its own lock,
        and whatever happens to others.

        A revision runs on one of them. On the others the statements are executed that
        it executed there, if that is sure to be the same: see :doc:`tenants`.

        :param tenants: URLs, names of schemas, engines or :class:`Tenant` objects: a
            list, or a function that returns one. By default ``ALEMBIC["tenants"]``.
        :param target: Where to go, as of :meth:`upgrade`.
        :param workers: How many are worked on at a time: by default four times as
            many as there are processors, and 8 at most; 2 where all are on SQLite.
            Each needs one connection, and on PostgreSQL a second one for the
            lock. Those in schemas of the app's database are no more than its pool has
            connections.
        :param stop_on_error: Whether to begin no other one after one failed.
        :param progress: Called each time that one is over, in this thread.
        :param executor: What does the work, instead of threads: any
            :class:`~concurrent.futures.Executor`.
        :param app: What makes the app in the processes of the executor: a function
            that can be pickled, or where it is: ``"package.module:create_app"``.
        :return: What became of each. Errors are in there.
        :raises ConfigurationError: If something is no tenant, or two have one name.

        .. versionadded:: 4.0
        """
        from .fleet import upgrade_all

        with self._fleet(target) as fleet:
            return upgrade_all(
                fleet,
                self._tenants(tenants),
                executor=executor,
                app=app,
                workers=workers,
                stop_on_error=stop_on_error,
                progress=progress,
            )

    def status_all(
        self,
        tenants: Targets | None = None,
        *,
        workers: int | None = None,
        executor: Executor | None = None,
        app: str | t.Callable[[], Flask] | None = None,
    ) -> FleetStatus:
        """Where many databases or schemas are. Nothing is changed, and no lock taken.

        :param tenants: The tenants, as of :meth:`upgrade_all`.
        :param workers: How many are asked at a time.
        :param executor: What asks, as of :meth:`upgrade_all`.
        :param app: What makes the app there, as of :meth:`upgrade_all`.
        :return: Where each is. Errors are in there.
        :raises ConfigurationError: If something is no tenant, or two have one name.

        .. versionadded:: 4.0
        """
        from .fleet import status_all

        with self._fleet("heads") as fleet:
            tenants_ = self._tenants(tenants)
            return status_all(
                fleet, tenants_, executor=executor, app=app, workers=workers
            )

    def prepare(
        self,
        *,
        databases: Databases | None = None,
        x: XArguments | None = None,
        tag: str | None = None,
        wait: float | None = None,
    ) -> PrepareReport:
        """Bring all databases to the heads, however far they are: an empty one by
        loading its snapshot, if :meth:`snapshot` has written one, and by the revisions
        after it; all others by :meth:`upgrade`. Any number of processes may do this at
        once.

        A snapshot is not used, with a warning, if a revision that it stands for was
        edited since.

        :param databases: The names of the databases to work on, instead of all.
        :param x: Arguments for the revisions, as of :meth:`using`.
        :param tag: A text for the revisions, as of :meth:`using`.
        :param wait: How long to try to connect to databases that are down, in seconds.
        :return: What was loaded, and applied.
        :raises MigrationFailed: If a revision raises, or the snapshot can't be loaded.
        :raises HalfDoneError: If an earlier run was ended while it loaded another
            snapshot, where that can't be rolled back.

        .. versionadded:: 4.0
        """
        with self.using(databases=databases, x=x, tag=tag, wait=wait):
            settled = self._settled("heads")

            # What is at no revision may be empty, and have a snapshot.
            if settled is not None and all(settled.databases.values()):
                return operations.settled.nothing_prepared(settled)

            run = self._report(operations.prepare.prepare)
            return operations.prepare.prepared(self, run)

    def snapshot(
        self,
        *,
        rows: bool | str | t.Iterable[str] | None = None,
        databases: Databases | None = None,
        x: XArguments | None = None,
        tag: str | None = None,
        scratch_url: str | None = None,
    ) -> SnapshotReport:
        """Write the schema of each database at its heads to a file in the migrations
        folder, for :meth:`prepare`. All revisions are run on a throw-away database,
        and what was written is proved by loading it into another one.

        :param rows: Whether the rows that revisions insert are written too; or the
            tables whose rows are. By default it is as in the file that is there.
        :param databases: The names of the databases to work on, instead of all.
        :param x: Arguments for the revisions, as of :meth:`using`.
        :param tag: A text for the revisions, as of :meth:`using`.
        :param scratch_url: The URL of an empty database to use, and to empty at the
            end, instead of one that is made and dropped.
        :return: What was written.
        :raises FlaskAlembicError: If a snapshot can't hold what revisions make, or no
            throw-away database can be made.
        :raises MigrationFailed: If a revision raises on an empty database.

        .. versionadded:: 4.0
        """
        with self._replaying(scratch_url, databases=databases, x=x, tag=tag) as found:
            wanted = operations.snapshot.wanted_rows(rows)
            return operations.snapshot.snapshot(self, found, wanted)

    def verify_snapshot(
        self,
        *,
        databases: Databases | None = None,
        x: XArguments | None = None,
        tag: str | None = None,
        scratch_url: str | None = None,
    ) -> SnapshotCheck:
        """Whether the snapshot of each database is what its revisions make: they are
        run on a throw-away database, and the snapshot is loaded into another one.

        :param databases: The names of the databases to work on, instead of all.
        :param x: Arguments for the revisions, as of :meth:`using`.
        :param tag: A text for the revisions, as of :meth:`using`.
        :param scratch_url: As of :meth:`snapshot`.
        :return: What differs. ``check.ok`` sums it up.

        .. versionadded:: 4.0
        """
        with self._replaying(scratch_url, databases=databases, x=x, tag=tag) as found:
            return operations.snapshot.verify_snapshot(self, found)

    def downgrade(
        self,
        target: RevisionArgument = -1,
        *,
        databases: Databases | None = None,
        x: XArguments | None = None,
        tag: str | None = None,
        skip_missing: bool = False,
        yes: bool = False,
    ) -> MigrationReport:
        """Run revisions back down to a target, on all databases.

        :param target: An id, a part of one, a revision, ``"base"``, or a count of
            steps: ``-1``, ``"label@-1"``.
        :param databases: The names of the databases to work on, instead of all.
        :param x: Arguments for the revisions, as of :meth:`using`.
        :param tag: A text for the revisions, as of :meth:`using`.
        :param skip_missing: Whether to leave ids alone that no file has. Otherwise
            they are an error.
        :param yes: Whether protected databases may be downgraded too.
        :return: What was applied.
        :raises MigrationFailed: If a revision raises. It says what was applied before.
        :raises ProtectedDatabaseError: If a database is protected, by
            ``ALEMBIC["protected"]``, and ``yes`` is not given. Nothing is done.

        .. versionchanged:: 4.0
            Added ``databases``, ``x``, ``tag``, ``skip_missing`` and ``yes``.
        """
        with self.using(databases=databases, x=x, tag=tag, yes=yes):
            return self._report(
                operations.upgrade.downgrade, target, skip_missing=skip_missing
            )

    def resume(
        self,
        *,
        done: bool | None = None,
        databases: Databases | None = None,
        x: XArguments | None = None,
        tag: str | None = None,
    ) -> MigrationReport:
        """Run a revision to its end that is half done, because it failed or its process
        was ended where DDL can't be rolled back. :meth:`upgrade` or :meth:`downgrade`
        does that too, and goes on with others.

        :param done: Of a statement that may or may not have taken effect: whether it
            did. By default the schema is asked, which does not always tell.
        :param databases: The names of the databases to work on, instead of all.
        :param x: Arguments for the revisions, as of :meth:`using`.
        :param tag: A text for the revisions, as of :meth:`using`.
        :return: What was applied; nothing if no revision was half done.
        :raises UndecidedError: If nobody knows whether the statement took effect.
        :raises MigrationFailed: If the revision raises again.

        .. versionadded:: 4.0
        """
        with self.using(databases=databases, x=x, tag=tag):
            environment = self._environment()

            with environment.using(environment.options.also(took_effect=done)):
                return self._report(operations.resume.resume)

    def stamp(
        self,
        target: RevisionArgument = "heads",
        *,
        databases: Databases | None = None,
        x: XArguments | None = None,
        tag: str | None = None,
        purge: bool = False,
        verify: bool = False,
        skip_missing: bool = False,
        yes: bool = False,
    ) -> MigrationReport:
        """Let the databases be at a revision, without running anything.

        :param target: Ids, revisions, ``"heads"``, ``"base"``.
        :param databases: The names of the databases to work on, instead of all.
        :param x: Arguments for the revisions, as of :meth:`using`.
        :param tag: A text for the revisions, as of :meth:`using`.
        :param purge: Whether to empty the version tables first, whatever is in them.
        :param verify: Whether to do so only if the schema is that of the target: the
            models are compared to each database, after the revisions above the target
            were tried there and rolled back. What those do outside of the database
            stays. Where DDL can't be rolled back, only the heads can be verified.
        :param skip_missing: Whether to leave ids alone that no file has. Otherwise
            they are an error.
        :param yes: Whether protected databases may be purged too.
        :return: What was written.
        :raises SchemaMismatchError: If the schema is another one. Nothing is stamped.
        :raises ProtectedDatabaseError: If a purge takes ids away from a database that
            is protected, and ``yes`` is not given. Nothing is stamped.

        .. versionchanged:: 4.0
            Added ``databases``, ``x``, ``tag``, ``purge``, ``verify``,
            ``skip_missing`` and ``yes``.
        """
        with self.using(databases=databases, x=x, tag=tag, yes=yes):
            return self._report(
                operations.stamp.stamp,
                target,
                purge=purge,
                verify=verify,
                skip_missing=skip_missing,
            )

    def ensure_version(
        self, *, databases: Databases | None = None
    ) -> tuple[VersionTable, ...]:
        """Create the version table where it is missing. It is empty then; a run would
        create it as well.

        :param databases: The names of the databases to work on, instead of all.
        :return: An entry a database, which tells whether the table was created.

        .. versionadded:: 4.0
        """
        with self._lent(databases=databases):
            settings = self._environment().run_settings
            return operations.ensure_version.ensure_version(self, settings)

    def adopt(
        self, *, apply: bool = False, databases: Databases | None = None
    ) -> AdoptReport:
        """Look at a migrations folder and databases that were made by another tool, or
        without one.

        :param apply: Whether to stamp each database that has tables, is at no revision
            and matches the models. Nothing else is ever changed.
        :param databases: The names of the databases to look at, instead of all.
        :return: What was found: who made the folder, where each database is, and what
            will be different. What ``env.py`` says is read, not run.

        .. versionadded:: 4.0
        """
        with self._lent(databases=databases):
            return operations.adopt.adopt(self, apply=apply)

    def repair(
        self,
        *,
        apply: bool | t.Callable[[Finding], bool] = False,
        databases: Databases | None = None,
    ) -> RepairReport:
        """Find what earlier runs left, and mend it: revisions that were edited after
        they were applied, rows that are wrong in the version table and in the tables
        beside it, invalid indexes of PostgreSQL, temporary tables of SQLite.

        :param apply: Whether to mend what can be mended; or a function that is called
            with each such finding and tells that.
        :param databases: The names of the databases to look at, instead of all.
        :return: What was found, and done.

        .. versionadded:: 4.0
        """
        with self._lent(databases=databases):
            environment = self._environment()

            with environment.using(environment.options.also(lock_first=True)):
                return operations.repair.repair(self, apply=apply)

    def sql(
        self,
        target: RevisionArgument = "heads",
        *,
        command: str = "upgrade",
        databases: Databases | None = None,
        x: XArguments | None = None,
        tag: str | None = None,
        dialect: str | None = None,
    ) -> dict[str, str]:
        """Write what a method would run as SQL, without connecting to a database.

        :param target: A range ``"a:b"``: where the databases are, and where to go. Up
            from base, ``"b"`` does.
        :param command: ``"upgrade"``, ``"downgrade"``, ``"stamp"``, or
            ``"ensure_version"``, which has no target.
        :param databases: The names of the databases to write for, instead of all.
        :param x: Arguments for the revisions, as of :meth:`using`.
        :param tag: A text for the revisions, as of :meth:`using`.
        :param dialect: The kind of database to write for, instead of that of the
            engines: ``"postgresql"``, ``"mysql"``, ``"mariadb"``, ``"sqlite"``,
            ``"oracle"``, ``"mssql"``.
        :return: Name to script. It is empty if there is nothing to do.
        :raises TargetError: If a range is missing, or leads the other way.
        :raises MigrationFailed: If a revision raises, such as one that reads from the
            database.

        .. versionadded:: 4.0
        """
        with self._offline(databases=databases, x=x, tag=tag, dialect=dialect) as env:
            found = operations.offline.read_target(self, target, command)
            verb, env.start, end = found
            env.refuse_connected(self.migration_contexts)
            self._report(verb, end)
            return env.scripts

    def run_migrations(self, fn: Work, **kwargs: t.Any) -> MigrationReport:
        """Run what a function says, on all databases. :meth:`upgrade`,
        :meth:`downgrade`, :meth:`stamp` and :meth:`revision` go through here.

        A revision is committed on all databases before the next one begins. One thread
        of a process runs at a time: Alembic's ``op`` is the same for all threads.

        :param fn: Called for each database with its heads and its migration context;
            returns the steps to run.
        :param kwargs: Passed to ``upgrade`` and ``downgrade`` of each revision. With
            several databases ``engine_name`` is added.
        :return: What was applied.
        :raises MigrationFailed: If a revision raises.
        """
        from .runner import run

        environment = self._environment()

        with environment.running():
            contexts = self.migration_contexts
            chosen = environment.options.databases is not None
            names = self.databases if chosen else contexts
            report = run(
                contexts,
                fn,
                kwargs,
                names=tuple(names),
                settings=environment.run_settings,
                took_effect=environment.options.took_effect,
                lock_first=environment.options.lock_first,
                recorder=environment.recorder,
            )

        environment.report = environment.report.followed_by(report)
        return report

    @property
    def last_report(self) -> MigrationReport:
        """What :meth:`run_migrations` did in this app context since :meth:`upgrade`,
        :meth:`downgrade` or :meth:`stamp` was called, for those who override one of
        them and return nothing.

        .. versionadded:: 4.0
        """
        return self._environment().report

    # Write

    def rev_id(self) -> str:
        """A new revision id: by default the seconds since 1970. Override this, or
        assign a function, for other ids.

        :return: The id, of letters, digits, ``_`` and ``.``.
        """
        from .revision_ids import timestamp_id

        return timestamp_id()

    def revision(
        self,
        message: str | None = None,
        empty: bool = False,
        branch: str = "default",
        parent: RevisionArgument = "head",
        splice: bool = False,
        depend: RevisionArgument | None = None,
        label: Labels = None,
        path: str | Path | None = None,
        *,
        allow_drops: bool = False,
        rev_id: str | None = None,
        skip_empty: bool = False,
        sql: bool = False,
        databases: Databases | None = None,
        x: XArguments | None = None,
        tag: str | None = None,
    ) -> NewRevisions:
        """Write a new revision, with the operations that bring the databases to the
        models.

        :param message: What the revision does. Without one, it is called by what was
            found.
        :param empty: Whether to leave the operations to be written by hand.
        :param branch: The independent branch that it belongs to.
        :param parent: What it revises.
        :param splice: Whether the parent may be no head.
        :param depend: Revisions that have to be applied before it.
        :param label: Labels of the branch that begins with it.
        :param path: The version location that the file goes to.
        :param allow_drops: Whether to write drops of all tables where the metadata has
            none. Usually the models are not imported then.
        :param rev_id: The id of the revision, instead of a new one.
        :param skip_empty: Whether to write no file if nothing changed. Nothing is
            compared if ``empty`` is given, and so nothing skipped.
        :param sql: Whether to connect to no database, so that no operations are
            written.
        :param databases: The names of the databases to compare, instead of all.
        :param x: Arguments for hooks and the template, as of :meth:`using`.
        :param tag: A text for hooks and the template, as of :meth:`using`.
        :return: The new revisions: a list, which also knows what was found.
        :raises OutOfDateError: If a database is behind.
        :raises EmptyMetadataError: If all tables would be dropped.

        .. versionchanged:: 4.0
            Added ``allow_drops``, ``rev_id``, ``skip_empty``, ``sql``, ``databases``,
            ``x`` and ``tag``; ``message`` may be left out.
        """
        if sql and allow_drops:
            raise self._compares_nothing()

        empty = empty or sql
        options = {"databases": databases, "x": x, "tag": tag}

        with (
            self._offline() if sql else nullcontext(),
            self._lent(**options, autogenerate=not empty),
        ):
            return operations.revision.revision(
                self,
                message,
                empty=empty,
                branch=branch,
                parent=parent,
                splice=splice,
                depend=depend,
                label=label,
                path=path,
                allow_drops=allow_drops,
                rev_id=rev_id,
                skip_empty=skip_empty,
            )

    def merge(
        self,
        revisions: RevisionArgument = "heads",
        message: str | None = None,
        label: Labels = None,
        *,
        rev_id: str | None = None,
        splice: bool = False,
    ) -> Script | None:
        """Write a revision that joins several.

        :param revisions: What to join.
        :param message: What to call it. By default it names the revisions.
        :param label: Its labels.
        :param rev_id: Its id, instead of a new one.
        :param splice: Whether the revisions may be no heads.
        :return: The new revision, or ``None`` if there is nothing to join.

        .. versionchanged:: 4.0
            Added ``rev_id`` and ``splice``.
        """
        return operations.merge.merge(
            self, revisions, message, label, rev_id=rev_id, splice=splice
        )

    # Names that are private, and used all the same

    def _simplify_rev(
        self,
        rev: RevisionArgument,
        handle_current: bool = False,
        handle_int: bool = False,
    ) -> list[str]:
        from .compat import simplify_rev

        return simplify_rev(
            self, rev, handle_current=handle_current, handle_int=handle_int
        )

    def _get_cache(self) -> Cache:
        from .compat import Cache

        return Cache(self._environment(), self._read_settings)

    # Inside

    def _look(self) -> dict[str, tuple[str, ...]] | None:
        """Where the databases stand, if a look tells."""
        databases = self._plain_databases()

        if databases is None:
            return None

        return operations.settled.ids_at(databases, keep_pooled=has_request_context())

    def _choosing(self, databases: Databases | None) -> t.ContextManager[None]:
        """Let a call be about some databases."""
        if databases is None:
            return nullcontext()

        return self._with_options(databases=databases)

    def _settled(self, target: RevisionArgument) -> MigrationReport | None:
        """The report of an upgrade that has nothing to do, if a look tells that."""
        databases = self._plain_databases("rev_id", "revisions", "run_migrations")

        if target not in ("head", "heads") or databases is None:
            return None

        hashes = operations.settled.Hashes()
        graph = self._revisions(hashes.note)

        if target == "head" and len(graph.heads) > 1:
            return None

        environment = self._environment()
        found = operations.settled.settled_ids(
            databases,
            graph,
            hashes,
            environment.run_settings,
            keep_pooled=has_request_context(),
        )

        if found is None:
            return None

        from .run_reports import MigrationReport

        environment.report = MigrationReport(databases=found)
        return environment.report

    @contextmanager
    def _replaying(
        self, scratch_url: str | None, **options: t.Any
    ) -> t.Iterator[Scratches]:
        """Let runs note nothing: they are on databases that nobody keeps."""
        run: dict[str, t.Any] = {"history": False, "journal": False, "lock": False}

        if scratch_url is not None:
            run["scratch_url"] = scratch_url

        with self.using(**options):
            environment = self._environment()

            with environment.using(environment.options.also(run=run)):
                urls = environment.run_settings.scratch_url
                selected = environment.options.select(self.databases)
                yield operations.scratch_runs.scratches(selected, urls)

    def _report(
        self,
        verb: t.Callable[..., None],
        *target: RevisionArgument,
        **options: t.Any,
    ) -> MigrationReport:
        from .run_reports import MigrationReport

        environment = self._environment()
        environment.report = MigrationReport()

        # An overridden run_migrations() need not return what super() returned, so the
        # report is left on the environment.
        with environment.lent():
            verb(self, *target, **options)

        return environment.report

    @contextmanager
    def _fleet(self, target: RevisionArgument) -> t.Iterator[Fleet]:
        from .fleet import Fleet
        from .fleet import Job

        environment = self._environment()
        # Another connection of this thread is not to be in the way.
        environment.connections.settle()
        own = ("upgrade", "run_migrations", "migration_contexts")
        replays = all(getattr(type(self), n) is getattr(Alembic, n) for n in own)
        job = Job(target, environment.options, replays)
        enter = partial(self._beside, self._app(), environment)
        fleet = Fleet(self, job, enter)

        try:
            yield fleet
        finally:
            fleet.close()

    def _tenants(self, tenants: Targets | None) -> list[Tenant]:
        from .tenant_list import read_tenants

        return read_tenants(self.settings.tenants if tenants is None else tenants)

    def _compares_nothing(self) -> Exception:
        from .errors import ConfigurationError

        return ConfigurationError(
            "A revision that is written without connecting (sql) drops no tables"
            " (allow_drops): it compares nothing.",
            hint="Leave one of them out.",
            key="sql",
            value=True,
        )
