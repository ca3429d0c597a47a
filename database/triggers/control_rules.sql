CREATE OR REPLACE FUNCTION fn_rule_fill() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
  NEW.namespace_id := coalesce(NEW.namespace_id,
    (SELECT a.namespace_id FROM accounts a WHERE a.account_id = NEW.account_id),
    (SELECT p.namespace_id FROM plans p WHERE p.plan_id = NEW.plan_id ORDER BY p.namespace_id <> 'default', p.namespace_id LIMIT 1),
    'default');
  PERFORM fn_resource_type(NEW.namespace_id, NEW.resource_type_code);
  IF NOT EXISTS (SELECT FROM limit_kinds k WHERE k.limit_kind_code = NEW.limit_kind_code) THEN
    PERFORM fn_fail(400, 'invalid_parameter', 'limit_kind must be one of cumulative, concurrency, inventory, time_access', 'limit_kind');
  END IF;
  IF NOT EXISTS (SELECT FROM limit_actions a WHERE a.limit_action_code = NEW.limit_action_code) THEN
    PERFORM fn_fail(400, 'invalid_parameter', 'action must be one of block, warn, grace, overage', 'action');
  END IF;
  NEW.created_at := coalesce(NEW.created_at, fn_now(NEW.namespace_id));
  RETURN NEW;
END $$;
COMMENT ON FUNCTION fn_rule_fill IS 'Completes a rule: its namespace is its account''s, else its plan''s, else default. ME400 unknown_resource, invalid_parameter.';

CREATE OR REPLACE TRIGGER control_rules_fill BEFORE INSERT OR UPDATE ON control_rules
FOR EACH ROW EXECUTE FUNCTION fn_rule_fill();

CREATE OR REPLACE FUNCTION fn_rule_changed() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
  -- A rule of one account concerns that account alone; any other one the whole namespace.
  PERFORM fn_bump_resources((
    SELECT array_agg(DISTINCT fn_resource_key(c.account_id, c.resource_type_code))
    FROM changed c WHERE c.account_id IS NOT NULL
  ));
  PERFORM fn_bump_namespaces((SELECT array_agg(DISTINCT c.namespace_id) FROM changed c WHERE c.account_id IS NULL));
  RETURN NULL;
END $$;
COMMENT ON FUNCTION fn_rule_changed IS 'Bumps the versions of what a statement on rules concerned.';

CREATE OR REPLACE TRIGGER control_rules_inserted AFTER INSERT ON control_rules
REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION fn_rule_changed();
CREATE OR REPLACE TRIGGER control_rules_updated AFTER UPDATE ON control_rules
REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION fn_rule_changed();
-- What a rule concerned before, if it was another account or resource.
CREATE OR REPLACE TRIGGER control_rules_left AFTER UPDATE ON control_rules
REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION fn_rule_changed();
CREATE OR REPLACE TRIGGER control_rules_deleted AFTER DELETE ON control_rules
REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION fn_rule_changed();
