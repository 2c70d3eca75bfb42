"""What can be done to shipments, parcels and their tracking."""
