CREATE OR REPLACE FUNCTION fn_batch_results(p_items usage_item[], p_entries jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE AS $$
BEGIN
  RETURN (
    SELECT coalesce(jsonb_agg(jsonb_build_object(
        'index', coalesce((e.entry ->> 'index')::int, i.n - 1),
        'status', i.status,
        'entry', CASE WHEN i.status IN ('recorded', 'duplicate') THEN fn_entry_json(l, e.entry ->> 'account_id', d.metadata) END,
        'error', CASE
          WHEN i.status = 'invalid' THEN i.error - 'status'
            || jsonb_build_object('type', CASE i.error ->> 'status' WHEN '409' THEN 'conflict' ELSE 'invalid_request' END)
          WHEN i.status = 'conflict' THEN jsonb_build_object('type', 'conflict', 'code', 'idempotency_conflict',
            'message', 'this idempotency_key was used for a different request: a new request needs a new key', 'param', 'idempotency_key') END)
      ORDER BY i.n), '[]')
    FROM (
      -- The twin of an entry that was refused after all is refused like it, not a duplicate of nothing.
      SELECT i.n, i.entry_id, coalesce(f.status, i.status, 'conflict') AS status, coalesce(f.error, i.error) AS error
      FROM unnest(p_items) i
      LEFT JOIN unnest(p_items) f ON i.status = 'duplicate' AND f.status = 'invalid' AND f.entry_id = i.entry_id
    ) i
    JOIN jsonb_array_elements(p_entries) WITH ORDINALITY e (entry, n) USING (n)
    LEFT JOIN consumption_ledger l ON l.entry_id = i.entry_id AND i.status IN ('recorded', 'duplicate')
    LEFT JOIN ledger_details d ON d.entry_id = l.entry_id
  );
END $$;
COMMENT ON FUNCTION fn_batch_results IS 'What became of each entry of a batch, as answers show it.';
