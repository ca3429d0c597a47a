import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

const BUDGET_MS = 120_000

/** Each says something of its own; the table may say more. */
const LINES = [
  /^\/check from Redis: p50 +one redis\.get .+ not judged$/m,
  /^\/check from Redis: p50 +@upstash\/ratelimit limit\(\) .+ not judged$/m,
  /^\/check from Postgres: p50 +select 1 .+ not judged$/m,
  /^\/check from memory: requests +a bare route in Hono .+ not judged$/m,
  /^\/consume: p50 +INSERT \+ UPDATE in one statement .+ not judged$/m,
  /^\/consume: requests +INSERT \+ UPDATE in one statement .+ not judged$/m,
  /^\/meter\/batch of 1000, .+: entries +one INSERT .+ not judged$/m,
  /^the deployed Worker, gzipped +150 KiB /m,
  /^check, \d+ entries, calendar: time .+ not judged$/m,
  /^check, \d+ accounts: buffers .+ not judged$/m,
  /^consume, 50 entitlements: time .+ not judged$/m,
  /^usage, \d+ entries in a year: time .+ not judged$/m,
  /^ledger, \d+ entries in a year: buffers .+ not judged$/m,
  /^heap of the isolate, \d+ checks on \d+ accounts .+ not judged$/m,
  /^geography, 2 isolates: answers from redis +predicted .+ reported$/m,
  /^\| 2 \| all \| 100 % \| 100 % \| [\d.]+ ms \| [\d.]+ ms \| [\d.]+ ms \|$/m,
  /^\| 2 \| [\d.]+ \| [\d.]+ \| [\d.]+ \| [\d.]+ \| (?:\$[\d.]+ \| ){3}\$[\d.]+ \|$/m,
]

/** Counted at the protocol servers, exactly: as many as requests, or none. The median of rounds need not be whole. */
const COUNTS = [
  [/^\/check from Redis: requests to Redis +requests +([\d.]+) +([\d.]+) /m, 1],
  [/^\/check from Redis: commands to Redis +requests +([\d.]+) +([\d.]+) /m, 1],
  [/^\/check from Redis: requests to Postgres +requests +([\d.]+) +([\d.]+) /m, 0],
  [/^\/check from memory: requests to Redis +requests +([\d.]+) +([\d.]+) /m, 0],
  [/^\/check from memory: requests to Postgres +requests +([\d.]+) +([\d.]+) /m, 0],
  [/^\/check from Postgres: requests to Postgres +requests +([\d.]+) +([\d.]+) /m, 1],
  [/^\/consume: requests to Postgres +requests +([\d.]+) +([\d.]+) /m, 1],
] as const

const run = (args: string[]) => {
  const script = fileURLToPath(new URL('run.ts', import.meta.url))
  return promisify(execFile)(process.execPath, [script, ...args], { timeout: BUDGET_MS })
}

test.each([
  [['--only', 'nothing'], '--only takes one of check-redis, '],
  [['--only'], "Option '--only <value>' argument missing"],
  [['--fast'], "Unknown option '--fast'"],
  [['fast'], "Unexpected argument 'fast'"],
  [['--write', '--quick'], '--write takes a whole run'],
])('%j is refused in a line, before anything runs: %s', async (args, message) => {
  const refused = await run(args).catch((ended: unknown) => ended)
  expect(refused).toMatchObject({ code: 1, stdout: '' })
  expect(refused).toHaveProperty('stderr', expect.stringMatching(/^[^\n]+\n\nnpm run bench .*\n/))
  expect(refused).toHaveProperty('stderr', expect.stringContaining(message))
  expect(refused).toHaveProperty('stderr', expect.not.stringMatching(/^ +at |node:internal/m))
})

test('--help says how, with 0', async () => {
  expect(await run(['--help'])).toMatchObject({ stderr: '', stdout: expect.stringContaining('check-redis') })
})

test(
  'the bench in its short form: each row has its line, and requests are counted exactly',
  async () => {
    const { stdout, stderr } = await run(['--quick']).catch((ended: { stdout: string; stderr: string }) => ended)
    expect(stdout, stderr).not.toMatch(/^MISSED: .+$/m)
    for (const line of LINES) expect(stdout).toMatch(line)
    for (const [count, each] of COUNTS) {
      const [, counted, requests] = count.exec(stdout) ?? []
      expect(Number(requests), String(count)).toBeGreaterThan(0)
      expect(Number(counted), String(count)).toBe(Number(requests) * each)
    }
  },
  BUDGET_MS,
)
