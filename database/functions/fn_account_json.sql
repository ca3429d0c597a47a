CREATE OR REPLACE FUNCTION fn_account_json(p_account accounts, p_label text) RETURNS jsonb
LANGUAGE sql STABLE AS $$
  SELECT jsonb_build_object('account_id', p_label, 'name', p_account.account_name, 'timezone', coalesce(p_account.timezone, 'UTC'),
    'status', coalesce(p_account.status, 'active'), 'metadata', coalesce(p_account.metadata, '{}'), 'created_at', fn_rfc3339(p_account.created_at))
$$;
COMMENT ON FUNCTION fn_account_json IS
'An account as answers show it, p_label as its caller writes it. One that was never seen (null) is as it will be when it appears.';
