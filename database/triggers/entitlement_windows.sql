CREATE OR REPLACE FUNCTION fn_refuse_closed() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
  -- A test clock that was moved forward and then cleared takes the closing back with it.
  IF OLD.frozen_at <= (SELECT fn_now(a.namespace_id) FROM accounts a WHERE a.account_id = OLD.account_id) THEN
    RAISE EXCEPTION 'a closed window never changes' USING ERRCODE = 'ME409',
      DETAIL = jsonb_build_object('code', 'window_closed', 'param', NULL)::text;
  END IF;
  RETURN coalesce(NEW, OLD);
END $$;
COMMENT ON FUNCTION fn_refuse_closed IS 'What was frozen for billing stays as it was, for every role.';

CREATE OR REPLACE TRIGGER entitlement_windows_frozen BEFORE UPDATE OR DELETE ON entitlement_windows
FOR EACH ROW WHEN (OLD.frozen_at IS NOT NULL) EXECUTE FUNCTION fn_refuse_closed();
