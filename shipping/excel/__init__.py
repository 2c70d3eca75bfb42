"""Files for couriers and from couriers."""
