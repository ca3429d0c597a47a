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
-- A queue on one hot row must time out before the connections run out.
ALTER ROLE mec_worker SET lock_timeout = '1s';
ALTER ROLE mec_worker SET statement_timeout = '4s';
-- Every command is one small statement: compiling it would cost more than it saves.
ALTER ROLE mec_worker SET jit = off;
GRANT USAGE ON SCHEMA public TO mec_worker;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO mec_worker;
