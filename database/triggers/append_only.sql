CREATE OR REPLACE FUNCTION fn_refuse_change() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% is append-only: a correction is a reversal', TG_TABLE_NAME USING ERRCODE = 'ME409',
    DETAIL = jsonb_build_object('code', 'append_only', 'param', NULL)::text;
END $$;
COMMENT ON FUNCTION fn_refuse_change IS 'Behind the missing grants: no role changes or deletes what was recorded.';

CREATE OR REPLACE TRIGGER consumption_ledger_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON consumption_ledger
FOR EACH STATEMENT EXECUTE FUNCTION fn_refuse_change();
CREATE OR REPLACE TRIGGER consumption_allocations_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON consumption_allocations
FOR EACH STATEMENT EXECUTE FUNCTION fn_refuse_change();
CREATE OR REPLACE TRIGGER signed_heads_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON signed_heads
FOR EACH STATEMENT EXECUTE FUNCTION fn_refuse_change();
CREATE OR REPLACE TRIGGER audit_chain_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_chain
FOR EACH STATEMENT EXECUTE FUNCTION fn_refuse_change();
CREATE OR REPLACE TRIGGER audit_log_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log
FOR EACH STATEMENT EXECUTE FUNCTION fn_refuse_change();
