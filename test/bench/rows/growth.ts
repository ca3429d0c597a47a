import { type Command, duelInDatabase } from '../support/explain.ts'
import { createDatabase, type Size } from '../support/growth-data.ts'
import { plotGrowth } from '../support/plot-growth.ts'
import type { Bench, Effort, Result, Row } from '../support/row.ts'

const COMMANDS: readonly Command[] = ['check', 'consume']
/** What reads a year, on an account that has used one. */
const READS: readonly Command[] = ['usage', 'ledger']

/** `deep` has more entries than `base`, `wide` more accounts, `middle` a few more. */
const SIZES: Record<Effort, Record<'base' | 'deep' | 'middle' | 'wide', Size>> = {
  full: {
    base: { entries: 10_000, accounts: 10 },
    deep: { entries: 1_000_000, accounts: 10 },
    middle: { entries: 10_000, accounts: 1_000 },
    wide: { entries: 10_000, accounts: 100_000 },
  },
  quick: {
    base: { entries: 1_000, accounts: 10 },
    deep: { entries: 5_000, accounts: 10 },
    middle: { entries: 1_000, accounts: 100 },
    wide: { entries: 1_000, accounts: 1_000 },
  },
}

async function run(bench: Bench) {
  const { base, deep, middle, wide } = SIZES[bench.effort]
  await createDatabase(bench.cloud, 'growth_base', base)
  await createDatabase(bench.cloud, 'growth_deep', deep)
  await createDatabase(bench.cloud, 'growth_middle', middle)
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
  const depths = [1_000, 10_000, 100_000].filter((entries) => entries < deep.entries)
  await plotGrowth(bench, [
    {
      name: 'entries',
      label: 'ledger entries of the account',
      at: [
        ...depths.map((x) => ({ x, asked: { database: 'growth_deep', account: `calendar_${x}` } })),
        { x: deep.entries, asked: { database: 'growth_deep', account: 'calendar' } },
      ],
    },
    {
      name: 'accounts',
      label: 'accounts',
      at: [
        { x: base.accounts, asked: { database: 'growth_base', account: 'calendar' } },
        { x: middle.accounts, asked: { database: 'growth_middle', account: 'calendar' } },
        { x: wide.accounts, asked: { database: 'growth_wide', account: 'calendar' } },
      ],
    },
    {
      name: 'entitlements',
      label: 'stacked entitlements',
      at: [
        { x: 1, asked: { database: 'growth_base', account: 'single' } },
        ...[2, 5, 10, 20].map((x) => ({ x, asked: { database: 'growth_base', account: `stacked_${x}` } })),
        { x: 50, asked: { database: 'growth_base', account: 'stacked' } },
      ],
    },
  ])
  return results
}

export const growth: Row = { name: 'growth', run }
