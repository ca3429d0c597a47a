CREATE OR REPLACE FUNCTION fn_moves_stock(p_limit_kind text) RETURNS boolean
LANGUAGE sql IMMUTABLE AS $$
  SELECT p_limit_kind IS NULL OR p_limit_kind = 'inventory'
$$;
COMMENT ON FUNCTION fn_moves_stock IS
'Whether a ledger entry that drew on this limit kind (null: on none) counts as an owned item.';
