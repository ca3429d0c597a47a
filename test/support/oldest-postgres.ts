/** The programs of the oldest supported Postgres, where Debian puts them. */
export const oldestPostgres = '/usr/lib/postgresql/15/bin'
