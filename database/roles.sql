-- The Worker's role executes MEC's functions and reads; whatever is written, they write.
DO $$
DECLARE
  v_function regprocedure;
BEGIN
  BEGIN
    CREATE ROLE mec_worker NOLOGIN;
  EXCEPTION WHEN duplicate_object THEN NULL;
  END;
  FOR v_function IN
    SELECT p.oid::regprocedure FROM pg_proc p
    WHERE p.pronamespace = 'public'::regnamespace AND p.proname ~ '^(fn|api)_'
  LOOP
    EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', v_function);
    EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO mec_worker', v_function);
  END LOOP;
END $$;
DO $$
DECLARE
  v_settings CONSTANT text[] := ARRAY[
    -- A queue on one hot row must time out before the connections run out.
    'lock_timeout=1s', 'statement_timeout=4s',
    -- Every command is one small statement: compiling it would cost more than it saves.
    'jit=off'];
  v_setting text;
BEGIN
  -- Only what differs: a role is of all databases, and two that are migrated at once must not both write it.
  FOREACH v_setting IN ARRAY v_settings LOOP
    IF NOT EXISTS (
      SELECT FROM pg_db_role_setting s JOIN pg_roles r ON r.oid = s.setrole
      WHERE r.rolname = 'mec_worker' AND s.setdatabase = 0 AND v_setting = ANY (s.setconfig)
    ) THEN
      EXECUTE format('ALTER ROLE mec_worker SET %I = %L', split_part(v_setting, '=', 1), split_part(v_setting, '=', 2));
    END IF;
  END LOOP;
END $$;
GRANT USAGE ON SCHEMA public TO mec_worker;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO mec_worker;
