"""A cache that follows RFC 9111: it answers with stored responses when the server allows it."""

from ...message.cache_options import FOREVER as FOREVER
from .entry import Entry as Entry
from .memory import MemoryStore as MemoryStore
from .rules import CacheRule as CacheRule
from .sqlite import SQLiteStore as SQLiteStore
from .statistics import CacheStatistics as CacheStatistics
from .step import Cache as Cache
from .store import CacheStore as CacheStore
from .store import StoreStatistics as StoreStatistics
