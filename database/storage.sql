-- Room on each page for the updates of counters, so that they stay HOT. Drizzle cannot say this.
ALTER TABLE resource_state SET (fillfactor = 70);
ALTER TABLE entitlement_windows SET (fillfactor = 70);
ALTER TABLE entitlement_window_parts SET (fillfactor = 70);
ALTER TABLE usage_rollups SET (fillfactor = 70);
ALTER TABLE inventory_totals SET (fillfactor = 70);
ALTER TABLE concurrency_leases SET (fillfactor = 70);
