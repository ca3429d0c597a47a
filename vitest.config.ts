import { existsSync } from 'node:fs'
import { defineConfig } from 'vitest/config'
import { edgeProject } from './test/support/edge.project.ts'
import { oldestPostgres } from './test/support/oldest-postgres.ts'

/** Suites that start whole stacks, or break what they share: one after the other, and one file at a time. */
const alone = (groupOrder: number) => ({ maxWorkers: 1, sequence: { groupOrder } })

// Properties, races and fresh databases take a while on a busy machine; nothing here waits for time to pass.
// More workers than cores: they mostly wait for Postgres.
const database = { globalSetup: 'test/support/database.setup.ts', testTimeout: 60_000, maxWorkers: 3 }

const longest = ['**/*.property.test.ts', '**/histories.test.ts', '**/chain/*.test.ts', '**/trail.test.ts']

export default defineConfig({
  test: {
    projects: [
      { test: { name: 'core', include: ['test/core/**/*.test.ts'] } },
      { test: { name: 'decisions', include: ['test/decisions/**/*.test.ts'], testTimeout: 60_000 } },
      { test: { name: 'sql', include: ['test/sql/**/*.test.ts'], ...database } },
      // The oldest supported Postgres, where the machine has it. What many random histories find is no matter of versions.
      ...(existsSync(`${oldestPostgres}/initdb`)
        ? [{ test: { name: 'sql-15', include: ['test/sql/**/*.test.ts'], exclude: longest, ...database } }]
        : []),
      { test: { name: 'model', include: ['test/model/**/*.test.ts'], ...database } },
      edgeProject,
      { test: { name: 'local', include: ['test/local/**/*.test.ts'], ...alone(2) } },
      { test: { name: 'faults', include: ['test/faults/**/*.test.ts'], ...alone(3) } },
      { test: { name: 'bench', include: ['test/bench/**/*.test.ts'], ...alone(4) } },
    ],
  },
})
