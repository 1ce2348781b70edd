"""What trainers leave, told apart by content: each reader gives entries, and says which lines it could not read."""

from conformance.auditing.reading.entry import Cut, Entry, NotALog
from conformance.auditing.reading.files import entries

__all__ = ["Cut", "Entry", "NotALog", "entries"]
