CREATE OR REPLACE FUNCTION fn_plan_first_version() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO plan_versions (namespace_id, plan_id, plan_version) VALUES (NEW.namespace_id, NEW.plan_id, NEW.current_version)
  ON CONFLICT DO NOTHING;
  RETURN NULL;
END $$;
COMMENT ON FUNCTION fn_plan_first_version IS 'Every plan has the version that it names as its current one.';

CREATE OR REPLACE TRIGGER plans_first_version AFTER INSERT OR UPDATE OF current_version ON plans
FOR EACH ROW EXECUTE FUNCTION fn_plan_first_version();

CREATE OR REPLACE FUNCTION fn_template_fill() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
  v_type resource_types;
BEGIN
  -- A statement that names the plan only means the one of default, or the only one of that name.
  IF NEW.namespace_id IS NULL THEN
    SELECT p.namespace_id INTO NEW.namespace_id FROM plans p WHERE p.plan_id = NEW.plan_id
    ORDER BY p.namespace_id <> 'default', p.namespace_id LIMIT 1;
  END IF;
  IF NEW.plan_version IS NULL THEN
    SELECT p.current_version INTO NEW.plan_version FROM plans p WHERE p.namespace_id = NEW.namespace_id AND p.plan_id = NEW.plan_id;
  END IF;
  IF NEW.plan_version IS NULL THEN
    PERFORM fn_fail(404, 'not_found', format('plan %s does not exist', to_json(NEW.plan_id)), 'plan_id');
  END IF;
  v_type := fn_resource_type(NEW.namespace_id, NEW.resource_type_code);
  IF NOT EXISTS (SELECT FROM limit_kinds k WHERE k.limit_kind_code = NEW.limit_kind_code) THEN
    PERFORM fn_fail(400, 'invalid_parameter', 'limit_kind must be one of cumulative, concurrency, inventory, time_access', 'limit_kind');
  END IF;
  NEW.unit_code := coalesce(NEW.unit_code, v_type.unit_code);
  NEW.window_type_code := CASE WHEN NEW.limit_kind_code = 'cumulative' THEN coalesce(NEW.window_type_code, 'none') END;
  IF NEW.window_type_code NOT IN (SELECT w.window_type_code FROM window_types w) THEN
    PERFORM fn_fail(400, 'invalid_parameter', format('window %s is not known', to_json(NEW.window_type_code)), 'window');
  END IF;
  PERFORM fn_require_rollover((SELECT w.window_class FROM window_types w WHERE w.window_type_code = NEW.window_type_code),
    NEW.rollover_max_quantity, NEW.rollover_percent);
  IF NEW.limit_kind_code <> 'time_access' THEN
    PERFORM fn_require_unit(NEW.namespace_id, NEW.unit_code, v_type.unit_code);
  END IF;
  -- Inserted again, a template replaces the earlier one.
  DELETE FROM plan_entitlement_templates t
  WHERE t.namespace_id = NEW.namespace_id AND t.plan_id = NEW.plan_id AND t.plan_version = NEW.plan_version
    AND t.resource_type_code = NEW.resource_type_code AND t.resource_scope IS NOT DISTINCT FROM NEW.resource_scope
    AND t.limit_kind_code = NEW.limit_kind_code AND t.window_type_code IS NOT DISTINCT FROM NEW.window_type_code
    AND t.priority = NEW.priority;
  RETURN NEW;
END $$;
COMMENT ON FUNCTION fn_template_fill IS
'Completes a template (its plan''s namespace and current version, unit, window) and removes the one that it replaces. ME404 not_found (plan), ME400 unknown_resource, unit_mismatch, invalid_parameter.';

CREATE OR REPLACE TRIGGER plan_entitlement_templates_fill BEFORE INSERT ON plan_entitlement_templates
FOR EACH ROW EXECUTE FUNCTION fn_template_fill();
