import { existsSync } from 'node:fs'
import { defineConfig } from 'vitest/config'
import { oldestPostgres } from './test/support/oldest-postgres.ts'

const database = { globalSetup: 'test/support/database.setup.ts' }

export default defineConfig({
  test: {
    projects: [
      { test: { name: 'core', include: ['test/core/**/*.test.ts'] } },
      { test: { name: 'sql', include: ['test/sql/**/*.test.ts'], ...database } },
      // The oldest supported Postgres, where the machine has it.
      ...(existsSync(`${oldestPostgres}/initdb`)
        ? [{ test: { name: 'sql-15', include: ['test/sql/**/*.test.ts'], ...database } }]
        : []),
      { test: { name: 'local', include: ['test/local/**/*.test.ts'] } },
    ],
  },
})
