"""Many tenants: what happens to each, and who works on how many at a time."""

from __future__ import annotations

from .fleet import Fleet as Fleet
from .fleet import Job as Job
from .verbs import status_all as status_all
from .verbs import upgrade_all as upgrade_all
