"""Search for a better recipe: spaces, trials and their storage, the race of the leaders, what the winner is worth."""

from medauc.search.defaults import default_space
from medauc.search.definition import Definition, SearchFolder


from medauc.search.choosing import Limits
from medauc.search.run import Search, Stopped, TrialsFailed, open_search
from medauc.search.space import Space, parse_space, read_space

__all__ = [
    "Definition",
    "Found",
    "Limits",
    "Row",
    "Search",
    "SearchFolder",
    "Space",
    "Stopped",
    "TrialsFailed",
    "default_space",
    "open_search",
    "parse_space",
    "read_space",
    "write_result",
]
