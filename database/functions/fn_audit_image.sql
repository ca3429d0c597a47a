CREATE OR REPLACE FUNCTION fn_audit_image(p_row jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE AS $$
DECLARE
  c_hidden CONSTANT text[] := '{key_hash,account_seed,config_version,updated_at,last_used_at,account_key,rule_number,limit_quantity,window_class,
    window_period,rollover_limit,cut_ends}';
  c_names CONSTANT jsonb := '{"namespace_id":"namespace","plan_name":"name","current_version":"version","account_name":"name","key_name":"name",
    "key_prefix":"prefix","resource_name":"name","resource_type_code":"resource","resource_scope":"scope","limit_kind_code":"limit_kind",
    "limit_action_code":"action","unit_code":"unit","window_type_code":"window","quantity_allowed":"quantity",
    "clock_offset":"clock_offset_seconds","late_arrival_grace":"late_arrival_grace_seconds"}';
BEGIN
  RETURN (
    SELECT jsonb_object_agg(coalesce(c_names ->> c.key, c.key), CASE
      WHEN c.key ~ '_(at|start|end|anchor)$' AND jsonb_typeof(c.value) = 'string' THEN
        coalesce(to_jsonb(fn_rfc3339((c.value #>> '{}')::timestamptz)), 'null')
      WHEN c.key IN ('clock_offset', 'late_arrival_grace') THEN to_jsonb(trim_scale(extract(epoch FROM (c.value #>> '{}')::interval)))
      ELSE c.value END)
    FROM jsonb_each(p_row - c_hidden) c);
END $$;
COMMENT ON FUNCTION fn_audit_image IS
'A row as the audit trail shows it: the API''s names, times in RFC 3339 UTC, no secrets, nothing that is derived or moves by itself. Null for no row.';
