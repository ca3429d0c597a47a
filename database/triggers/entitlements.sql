CREATE OR REPLACE FUNCTION fn_entitlement_fill() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
  v_namespace_id text;
  v_type resource_types;
BEGIN
  SELECT a.namespace_id INTO v_namespace_id FROM accounts a WHERE a.account_id = NEW.account_id;
  IF NOT FOUND THEN
    INSERT INTO accounts (account_id) VALUES (NEW.account_id) ON CONFLICT DO NOTHING;
    SELECT a.namespace_id INTO v_namespace_id FROM accounts a WHERE a.account_id = NEW.account_id;
  END IF;
  v_type := fn_resource_type(v_namespace_id, NEW.resource_type_code);
  IF NOT EXISTS (SELECT FROM limit_kinds k WHERE k.limit_kind_code = NEW.limit_kind_code) THEN
    PERFORM fn_fail(400, 'invalid_parameter', 'limit_kind must be one of cumulative, concurrency, inventory, time_access', 'limit_kind');
  END IF;
  IF NEW.quantity_allowed IN ('NaN', 'Infinity') THEN
    PERFORM fn_fail(400, 'invalid_parameter', 'quantity must be a number, or null for unlimited', 'quantity');
  END IF;
  NEW.unit_code := coalesce(NEW.unit_code, v_type.unit_code);
  IF NEW.limit_kind_code = 'cumulative' THEN
    NEW.window_type_code := coalesce(NEW.window_type_code, 'none');
    SELECT w.window_class, w.period INTO NEW.window_class, NEW.window_period FROM window_types w WHERE w.window_type_code = NEW.window_type_code;
    IF NOT FOUND THEN
      PERFORM fn_fail(400, 'invalid_parameter', format('window %s is not known', to_json(NEW.window_type_code)), 'window');
    END IF;
  ELSE
    NEW.window_type_code := NULL;
    NEW.window_class := NULL;
    NEW.window_period := NULL;
  END IF;
  IF NEW.limit_kind_code <> 'time_access' THEN
    PERFORM fn_require_unit(v_namespace_id, NEW.unit_code, v_type.unit_code);
  END IF;
  -- Time access admits while it is in force, whatever its quantity.
  NEW.limit_quantity := CASE WHEN NEW.limit_kind_code <> 'time_access' THEN
    fn_convert_quantity(v_namespace_id, NEW.quantity_allowed, NEW.unit_code, v_type.unit_code) END;
  PERFORM fn_require_rollover(NEW.window_class, NEW.rollover_max_quantity, NEW.rollover_percent);
  NEW.rollover_limit := CASE WHEN NEW.rollover_max_quantity IS NOT NULL
    THEN fn_convert_quantity(v_namespace_id, NEW.rollover_max_quantity, NEW.unit_code, v_type.unit_code)
    WHEN NEW.rollover_percent IS NOT NULL THEN 'Infinity' END;
  -- In whole milliseconds, like the clock: what starts now is in force now.
  NEW.effective_start := date_trunc('milliseconds', coalesce(NEW.effective_start, fn_now(v_namespace_id)));
  NEW.created_at := coalesce(NEW.created_at, fn_now(v_namespace_id));
  NEW.bucket_id := coalesce(NEW.bucket_id, NEW.entitlement_id);
  NEW.window_anchor := coalesce(NEW.window_anchor, NEW.effective_start);
  RETURN NEW;
END $$;
COMMENT ON FUNCTION fn_entitlement_fill IS
'Completes an entitlement: its account, its start (now), its own bucket and anchor, its limit in the resource''s unit. ME400 unknown_resource, unit_mismatch, invalid_parameter.';

CREATE OR REPLACE TRIGGER entitlements_fill BEFORE INSERT OR UPDATE ON entitlements
FOR EACH ROW EXECUTE FUNCTION fn_entitlement_fill();

CREATE OR REPLACE FUNCTION fn_entitlement_changed() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
  PERFORM fn_bump_resources((
    SELECT array_agg(DISTINCT fn_resource_key(c.account_id, c.resource_type_code)) FROM changed c
  ));
  RETURN NULL;
END $$;
COMMENT ON FUNCTION fn_entitlement_changed IS 'Bumps the versions of what a statement on entitlements concerned.';

CREATE OR REPLACE TRIGGER entitlements_inserted AFTER INSERT ON entitlements
REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION fn_entitlement_changed();
CREATE OR REPLACE TRIGGER entitlements_updated AFTER UPDATE ON entitlements
REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION fn_entitlement_changed();
-- What it was an entitlement to before, if it was to something else.
CREATE OR REPLACE TRIGGER entitlements_left AFTER UPDATE ON entitlements
REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION fn_entitlement_changed();
CREATE OR REPLACE TRIGGER entitlements_deleted AFTER DELETE ON entitlements
REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION fn_entitlement_changed();

CREATE OR REPLACE FUNCTION fn_terms_changed() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
  -- Of several changes at one instant the first says what was granted until then.
  INSERT INTO entitlement_terms (entitlement_id, valid_until, limit_quantity, rollover_limit, rollover_percent)
  VALUES (OLD.entitlement_id, (SELECT fn_now(a.namespace_id) FROM accounts a WHERE a.account_id = OLD.account_id),
    OLD.limit_quantity, OLD.rollover_limit, OLD.rollover_percent)
  ON CONFLICT DO NOTHING;
  RETURN NULL;
END $$;
COMMENT ON FUNCTION fn_terms_changed IS
'Keeps what an entitlement with rollover granted until now, so that what its closed windows rolled over stays what it was.';

CREATE OR REPLACE TRIGGER entitlements_terms AFTER UPDATE ON entitlements FOR EACH ROW
WHEN ((OLD.rollover_limit IS NOT NULL OR NEW.rollover_limit IS NOT NULL)
  AND (OLD.limit_quantity, OLD.rollover_limit, OLD.rollover_percent)
    IS DISTINCT FROM (NEW.limit_quantity, NEW.rollover_limit, NEW.rollover_percent))
EXECUTE FUNCTION fn_terms_changed();
