-- uuid_generate_v4() of the seeds, and the account ids' uuid_generate_v5().
CREATE EXTENSION IF NOT EXISTS "uuid-ossp";
-- digest() of personal strings and requests.
CREATE EXTENSION IF NOT EXISTS pgcrypto;
