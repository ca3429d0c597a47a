CREATE OR REPLACE FUNCTION fn_look_up_changed() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
  PERFORM fn_bump_namespaces((SELECT array_agg(DISTINCT c.namespace_id) FROM changed c));
  RETURN NULL;
END $$;
COMMENT ON FUNCTION fn_look_up_changed IS 'A look-up row of all namespaces bumps them all.';

CREATE OR REPLACE TRIGGER resource_types_inserted AFTER INSERT ON resource_types
REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION fn_look_up_changed();
CREATE OR REPLACE TRIGGER resource_types_updated AFTER UPDATE ON resource_types
REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION fn_look_up_changed();
CREATE OR REPLACE TRIGGER unit_types_inserted AFTER INSERT ON unit_types
REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION fn_look_up_changed();
CREATE OR REPLACE TRIGGER unit_types_updated AFTER UPDATE ON unit_types
REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION fn_look_up_changed();
