CREATE OR REPLACE FUNCTION fn_changes(p_notes jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE SET plan_cache_mode = force_generic_plan AS $$
BEGIN
  RETURN (
    WITH note AS MATERIALIZED (
      SELECT n.*, row_number() OVER () AS n
      FROM jsonb_to_recordset(p_notes) AS n (account_id uuid, account text, resource text, snapshot jsonb, holders jsonb, namespace text, api_key text)
    ), key AS (
      -- Of several notes of one key the last says most.
      SELECT DISTINCT ON (s.account_id, s.resource_type_code) a.namespace_id, coalesce(t.account, fn_account_label(a.account_id)) AS label,
        s.account_id, s.resource_type_code, s.key_version, t.snapshot, t.holders
      FROM note t JOIN resource_state s ON s.account_id = t.account_id AND s.resource_type_code = t.resource
      JOIN accounts a ON a.account_id = t.account_id
      ORDER BY s.account_id, s.resource_type_code, t.n DESC
    ), told AS (
      SELECT k.namespace_id, jsonb_agg(jsonb_build_object('account_id', k.label, 'resource', k.resource_type_code,
        'key_version', k.key_version,
        'snapshot', CASE WHEN (k.snapshot ->> 'key_version')::bigint = k.key_version THEN k.snapshot END,
        'holders', nullif(k.holders, 'null'))) AS keys
      FROM key k JOIN namespaces n USING (namespace_id)
      -- A row that SQL gave another name is no state of the string that the name is.
      WHERE fn_account_uuid(n, k.label) = k.account_id
      GROUP BY k.namespace_id
    )
    SELECT coalesce(jsonb_agg(jsonb_build_object('namespace', n.namespace_id, 'config_version', n.config_version,
      'clock_offset_ms', fn_clock_offset_ms(n), 'keys', coalesce(o.keys, '[]'),
      'api_keys', coalesce((
        SELECT jsonb_agg(jsonb_build_object('hash', t.api_key, 'record', fn_key_record(jsonb_build_object('type', 'key', 'hash', t.api_key))))
        FROM note t WHERE t.namespace = n.namespace_id AND t.api_key IS NOT NULL), '[]'))), '[]')
    FROM namespaces n LEFT JOIN told o USING (namespace_id)
    WHERE o.namespace_id IS NOT NULL OR n.namespace_id IN (SELECT t.namespace FROM note t)
  );
END $$;
COMMENT ON FUNCTION fn_changes IS
'What notes come to, as things are now: for each namespace its version and clock, the keys with their versions, what became of API keys (record null: revoked).';
