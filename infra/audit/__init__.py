"""The history of a stack put together from its backend, its record and its hosts, chained and verified."""
