"""Search for a better recipe: spaces, trials and their storage, the race of the leaders, what the winner is worth."""

from medauc.search.choosing import Limits
from medauc.search.defaults import default_space
from medauc.search.definition import Definition, SearchFolder
from medauc.search.document import Found, Row, Winner
from medauc.search.opening import open_search
from medauc.search.reading import parse_space, read_space
from medauc.search.result import write_result
from medauc.search.run import DatabaseAway, Search, Stopped, TrialsFailed
from medauc.search.space import Space
from medauc.search.storage import without_password

__all__ = [
    "DatabaseAway",
    "Definition",
    "Found",
    "Limits",
    "Row",
    "Search",
    "SearchFolder",
    "Space",
    "Stopped",
    "TrialsFailed",
    "Winner",
    "default_space",
    "open_search",
    "parse_space",
    "read_space",
    "without_password",
    "write_result",
]
