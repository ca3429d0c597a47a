CREATE OR REPLACE FUNCTION fn_require_timezone(p_timezone text) RETURNS text
LANGUAGE plpgsql STABLE AS $$
BEGIN
  -- A system's own time zone database has more: what the machine is set to, and all zones again in two other flavours.
  IF p_timezone ~ '^(posix|right)/' OR p_timezone IN ('localtime', 'posixrules', 'Factory') THEN
    RAISE invalid_parameter_value;
  END IF;
  -- Postgres also takes abbreviations, which have no daylight saving, and rules such as FOO5: neither has a slash.
  IF p_timezone IS NULL OR p_timezone ~ '^[A-Za-z]+(/[A-Za-z0-9_+-]+)+$' THEN
    PERFORM now() AT TIME ZONE p_timezone;
  ELSIF p_timezone <> 'UTC' AND NOT EXISTS (SELECT FROM pg_timezone_names n WHERE n.name = p_timezone) THEN
    RAISE invalid_parameter_value;
  END IF;
  RETURN p_timezone;
EXCEPTION WHEN invalid_parameter_value THEN
  PERFORM fn_fail(400, 'invalid_parameter', 'timezone must be a name of the IANA database, such as Europe/Berlin', 'timezone');
END $$;
COMMENT ON FUNCTION fn_require_timezone IS
'The timezone, if it is the name of one, or null. ME400 invalid_parameter (timezone).';
