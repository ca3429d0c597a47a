-- A signature that changed would otherwise leave the old function beside the new one, and a changed result refuse to be
-- replaced. In one transaction with what defines them anew. Trigger functions stay: triggers hold on to them.
DO $$
DECLARE
  v_function regprocedure;
BEGIN
  FOR v_function IN
    SELECT p.oid::regprocedure FROM pg_proc p
    WHERE p.pronamespace = 'public'::regnamespace AND p.proname ~ '^(fn|api)_' AND p.prorettype <> 'trigger'::regtype
  LOOP
    EXECUTE format('DROP FUNCTION %s', v_function);
  END LOOP;
END $$;
