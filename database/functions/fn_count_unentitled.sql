CREATE OR REPLACE FUNCTION fn_count_unentitled(p_account_id uuid, p_resource text, p_items usage_item[], p_now timestamptz) RETURNS boolean
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  -- By when it was recorded: so nothing ever arrives in a month that is closed.
  RETURN (
    SELECT fn_count_use(p_account_id, p_resource, '00000000-0000-0000-0000-000000000000',
      date_trunc('month', p_now, 'UTC'), (date_trunc('month', p_now AT TIME ZONE 'UTC') + interval '1 month') AT TIME ZONE 'UTC',
      sum(i.included_quantity), sum(i.overage_quantity), sum(i.excess_quantity), 0, 0)
    FROM unnest(p_items) i
  );
END $$;
COMMENT ON FUNCTION fn_count_unentitled IS
'Counts what drew on no cumulative entitlement (items, time access, excess with nothing entitled) in bucket 0, by the UTC month of its recording, so that all windows together are the ledger. None of it is billed.';
