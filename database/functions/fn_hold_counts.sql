CREATE OR REPLACE FUNCTION fn_hold_counts(p_reservation reservations, p_at timestamptz) RETURNS boolean
LANGUAGE sql STABLE AS $$
  SELECT coalesce(p_reservation.ended_at, p_reservation.expires_at) > p_at OR EXISTS (
    SELECT FROM consumption_ledger l WHERE l.entry_id = p_reservation.entry_id AND l.overage_quantity + l.excess_quantity > 0)
$$;
COMMENT ON FUNCTION fn_hold_counts IS
'Whether a hold over the limit counts for the grace clock: while it is live, and from then on if it was committed for a use that was over.';
