"""Files that go out for waybills and come back with numbers."""
