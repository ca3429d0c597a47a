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

test(
  'the bench in its short form: each row has its line, and requests are counted exactly',
  async () => {
    const run = fileURLToPath(new URL('run.ts', import.meta.url))
    const running = promisify(execFile)(process.execPath, [run, '--quick'], { timeout: BUDGET_MS })
    const { stdout, stderr } = await running.catch((ended: { stdout: string; stderr: string }) => ended)
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
