CREATE OR REPLACE FUNCTION fn_audit() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
  v_before jsonb := fn_audit_image(to_jsonb(OLD));
  v_after jsonb := fn_audit_image(to_jsonb(NEW));
  v_image jsonb := coalesce(v_after, v_before);
  v_account_id uuid := v_image ->> 'account_id';
BEGIN
  IF v_before = v_after THEN
    RETURN NULL;
  END IF;
  PERFORM fn_audit_write(
    CASE WHEN v_before IS NULL THEN 'create' WHEN v_after IS NULL THEN 'delete' ELSE coalesce((
      SELECT e.action FROM (VALUES ('revoked_at', 'revoke'), ('ended_at', 'revoke'), ('canceled_at', 'cancel'), ('frozen_at', 'close'), ('erased_at', 'erase')) e (field, action)
      WHERE v_after ->> e.field <> coalesce(v_before ->> e.field, '') LIMIT 1
    ), 'update') END,
    TG_ARGV[0],
    (SELECT string_agg(v_image ->> n.name, '/' ORDER BY n.place) FROM unnest(TG_ARGV[1]::text[]) WITH ORDINALITY n (name, place)),
    -- A look-up row of all namespaces is the operator's, who is at home in default.
    coalesce(v_image ->> 'namespace', (SELECT a.namespace_id FROM accounts a WHERE a.account_id = v_account_id), 'default'),
    v_account_id, v_before, v_after, TG_ARGV[2]::text[]);
  RETURN NULL;
END $$;
COMMENT ON FUNCTION fn_audit IS
'Puts a changed row into the audit trail, unless nothing that it shows has changed. Arguments: the type of object; the fields that make its id; those that are personal strings.';

CREATE OR REPLACE TRIGGER plans_audit AFTER INSERT OR UPDATE OR DELETE ON plans
FOR EACH ROW EXECUTE FUNCTION fn_audit('plan', '{plan_id}');
CREATE OR REPLACE TRIGGER plan_versions_audit AFTER INSERT OR UPDATE OR DELETE ON plan_versions
FOR EACH ROW EXECUTE FUNCTION fn_audit('plan_version', '{plan_id,plan_version}');
CREATE OR REPLACE TRIGGER plan_entitlement_templates_audit AFTER INSERT OR UPDATE OR DELETE ON plan_entitlement_templates
FOR EACH ROW EXECUTE FUNCTION fn_audit('plan_template', '{template_id}');
CREATE OR REPLACE TRIGGER subscriptions_audit AFTER INSERT OR UPDATE OR DELETE ON subscriptions
FOR EACH ROW EXECUTE FUNCTION fn_audit('subscription', '{subscription_id}');
CREATE OR REPLACE TRIGGER entitlements_audit AFTER INSERT OR UPDATE OR DELETE ON entitlements
FOR EACH ROW EXECUTE FUNCTION fn_audit('entitlement', '{entitlement_id}', '{metadata,revoke_reason}');
CREATE OR REPLACE TRIGGER control_rules_audit AFTER INSERT OR UPDATE OR DELETE ON control_rules
FOR EACH ROW EXECUTE FUNCTION fn_audit('rule', '{rule_id}');
CREATE OR REPLACE TRIGGER api_keys_audit AFTER INSERT OR UPDATE OR DELETE ON api_keys
FOR EACH ROW EXECUTE FUNCTION fn_audit('key', '{key_id}');
CREATE OR REPLACE TRIGGER resource_types_audit AFTER INSERT OR UPDATE OR DELETE ON resource_types
FOR EACH ROW EXECUTE FUNCTION fn_audit('resource', '{resource}');
CREATE OR REPLACE TRIGGER unit_types_audit AFTER INSERT OR UPDATE OR DELETE ON unit_types
FOR EACH ROW EXECUTE FUNCTION fn_audit('unit', '{unit}');
CREATE OR REPLACE TRIGGER namespaces_audit AFTER INSERT OR UPDATE OR DELETE ON namespaces
FOR EACH ROW EXECUTE FUNCTION fn_audit('namespace', '{namespace}');
-- That an account appears is no change by anyone.
CREATE OR REPLACE TRIGGER accounts_audit AFTER UPDATE OR DELETE ON accounts
FOR EACH ROW EXECUTE FUNCTION fn_audit('account', '{account_id}', '{external_id,name,metadata}');
-- Of the hot path only what is rare: an end by force, a closing.
CREATE OR REPLACE TRIGGER concurrency_leases_audit AFTER UPDATE OF end_status ON concurrency_leases
FOR EACH ROW WHEN (NEW.end_status = 'revoked') EXECUTE FUNCTION fn_audit('lease', '{lease_id}', '{holder,end_reason,metadata}');
CREATE OR REPLACE TRIGGER entitlement_windows_audit AFTER UPDATE OF frozen_at ON entitlement_windows
FOR EACH ROW WHEN (NEW.frozen_at IS NOT NULL) EXECUTE FUNCTION fn_audit('window', '{bucket_id,window_end}');
