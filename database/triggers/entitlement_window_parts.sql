CREATE OR REPLACE FUNCTION fn_refuse_closed_part() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
  v_part entitlement_window_parts := coalesce(NEW, OLD);
BEGIN
  IF EXISTS (
    SELECT FROM entitlement_windows w JOIN accounts a USING (account_id)
    WHERE w.account_id = v_part.account_id AND w.resource_type_code = v_part.resource_type_code AND w.window_end = v_part.window_end
      AND w.bucket_id = v_part.bucket_id AND w.frozen_at <= fn_now(a.namespace_id))
  THEN
    RAISE EXCEPTION 'a closed window never changes' USING ERRCODE = 'ME409',
      DETAIL = jsonb_build_object('code', 'window_closed', 'param', NULL)::text;
  END IF;
  RETURN coalesce(NEW, OLD);
END $$;
COMMENT ON FUNCTION fn_refuse_closed_part IS 'A window that was frozen for billing stays divided as it was, for every role.';

CREATE OR REPLACE TRIGGER entitlement_window_parts_frozen BEFORE INSERT OR UPDATE OR DELETE ON entitlement_window_parts
FOR EACH ROW EXECUTE FUNCTION fn_refuse_closed_part();
