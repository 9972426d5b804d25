"""The book and the report of a run in Debian's Chromium: `make browser`. Nothing here is run by `make test`."""
