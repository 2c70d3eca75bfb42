"""합포장: shipments of one recipient that go as one."""
