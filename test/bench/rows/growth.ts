import { type Command, duelInDatabase } from '../support/explain.ts'
import { createDatabase, type Size } from '../support/growth-data.ts'
import type { Bench, Effort, Result, Row } from '../support/row.ts'

const COMMANDS: readonly Command[] = ['check', 'consume']
/** What reads a year, on an account that has used one. */
const READS: readonly Command[] = ['usage', 'ledger']

/** `deep` has more entries than `base`, `wide` more accounts. */
const SIZES: Record<Effort, { base: Size; deep: Size; wide: Size }> = {
  full: {
    base: { entries: 10_000, accounts: 10 },
    deep: { entries: 1_000_000, accounts: 10 },
    wide: { entries: 10_000, accounts: 100_000 },
  },
  quick: {
    base: { entries: 1_000, accounts: 10 },
    deep: { entries: 20_000, accounts: 10 },
    wide: { entries: 1_000, accounts: 5_000 },
  },
}

async function run(bench: Bench) {
  const { base, deep, wide } = SIZES[bench.effort]
  await createDatabase(bench.cloud, 'growth_base', base)
  await createDatabase(bench.cloud, 'growth_deep', deep)
  await createDatabase(bench.cloud, 'growth_wide', wide)
  const results: Result[] = []
  for (const command of COMMANDS) {
    for (const account of ['calendar', 'rolling']) {
      results.push(
        ...(await duelInDatabase(
          bench,
          command,
          {
            what: `${command}, ${deep.entries} entries, ${account}`,
            against: String(base.entries),
            goal: { atMost: 1.2 },
          },
          { database: 'growth_deep', account },
          { database: 'growth_base', account },
        )),
      )
    }
    results.push(
      ...(await duelInDatabase(
        bench,
        command,
        { what: `${command}, ${wide.accounts} accounts`, against: String(base.accounts), goal: { atMost: 1.2 } },
        { database: 'growth_wide', account: 'calendar' },
        { database: 'growth_base', account: 'calendar' },
      )),
      ...(await duelInDatabase(
        bench,
        command,
        { what: `${command}, 50 entitlements`, against: '1', goal: { atMost: 2 } },
        { database: 'growth_base', account: 'stacked' },
        { database: 'growth_base', account: 'single' },
      )),
    )
  }
  for (const command of READS) {
    results.push(
      ...(await duelInDatabase(
        bench,
        command,
        { what: `${command}, ${deep.entries} entries in a year`, against: String(base.entries), goal: { atMost: 2 } },
        { database: 'growth_deep', account: 'yearly' },
        { database: 'growth_base', account: 'yearly' },
      )),
    )
  }
  return results
}

export const growth: Row = { name: 'growth', run }
