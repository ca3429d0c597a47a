import { existsSync } from 'node:fs'
import { defineConfig } from 'vitest/config'
import { edgeProject } from './test/support/edge.project.ts'
import { oldestPostgres } from './test/support/oldest-postgres.ts'

/** Each file starts stacks of its own, which mostly wait: four at a time, when the other suites are done. */
const stacks = { maxWorkers: 4, sequence: { groupOrder: 2 } }

// Properties, races and fresh databases take a while on a busy machine; nothing here waits for time to pass.
// More workers than cores: they mostly wait for Postgres.
const first = { testTimeout: 60_000, maxWorkers: 4 }
const database = { ...first, globalSetup: 'test/support/database.setup.ts' }

const longest = ['**/*.property.test.ts', '**/histories.test.ts', '**/chain/*.test.ts', '**/trail.test.ts']

/** Many entries: whoever else searched all tables would search these. */
const crowded = 'test/sql/chain/tampering.test.ts'

export default defineConfig({
  test: {
    projects: [
      { test: { name: 'core', include: ['test/core/**/*.test.ts'], ...first } },
      { test: { name: 'decisions', include: ['test/decisions/**/*.test.ts'], ...first } },
      { test: { name: 'sql', include: ['test/sql/**/*.test.ts'], exclude: [crowded], ...database } },
      // The oldest supported Postgres, where the machine has it. What many random histories find is no matter of versions.
      ...(existsSync(`${oldestPostgres}/initdb`)
        ? [{ test: { name: 'sql-15', include: ['test/sql/**/*.test.ts'], exclude: longest, ...database } }]
        : []),
      { test: { name: 'model', include: ['test/model/**/*.test.ts', crowded], ...database } },
      edgeProject,
      { test: { name: 'local', include: ['test/local/**/*.test.ts'], ...stacks } },
      { test: { name: 'faults', include: ['test/faults/**/*.test.ts'], ...stacks } },
      { test: { name: 'bench', include: ['test/bench/**/*.test.ts'], ...stacks } },
    ],
  },
})
