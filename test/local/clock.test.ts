import { readFile } from 'node:fs/promises'
import { describe, expect, test } from 'vitest'
import { SCHEDULE } from '../../functions/maintenance/schedule.ts'
import { startClock, type TimeSource } from '../../local/clock.ts'
import { cronsOf, parseCron } from '../../local/cron.ts'

const at = (text: string) => new Date(`${text}Z`)

/** What is ready to go on has gone on. */
const settled = () => new Promise((resolve) => setImmediate(resolve))

/** Time that moves only when it is told to. */
function handMadeTime(start: string): TimeSource & { advance(ms: number): Promise<void> } {
  let now = at(start).getTime()
  let timers: { due: number; callback: () => void }[] = []
  return {
    now: () => new Date(now),
    after(ms, callback) {
      const timer = { due: now + ms, callback }
      timers.push(timer)
      return () => {
        timers = timers.filter((other) => other !== timer)
      }
    },
    async advance(ms) {
      await settled()
      const end = now + ms
      for (;;) {
        const next = timers.filter(({ due }) => due <= end).sort((a, b) => a.due - b.due)[0]
        if (next === undefined) break
        timers = timers.filter((other) => other !== next)
        now = next.due
        next.callback()
        await settled()
      }
      now = end
    },
  }
}

describe('the clock', () => {
  test('fires each expression in its minutes, at their start', async () => {
    const time = handMadeTime('2026-11-21T10:58:30.250')
    const fired: string[] = []
    const clock = startClock({
      crons: ['* * * * *', '0 * * * *'].map(parseCron),
      fire: async (expression, scheduled) => {
        fired.push(`${expression} @ ${scheduled.toISOString()} at ${time.now().toISOString()}`)
      },
      failed: () => {},
      time,
    })
    await time.advance(29_000)
    expect(fired).toEqual([])
    await time.advance(91_000)
    expect(fired).toEqual([
      '* * * * * @ 2026-11-21T10:59:00.000Z at 2026-11-21T10:59:00.000Z',
      '* * * * * @ 2026-11-21T11:00:00.000Z at 2026-11-21T11:00:00.000Z',
      '0 * * * * @ 2026-11-21T11:00:00.000Z at 2026-11-21T11:00:00.000Z',
    ])
    clock.stop()
    await time.advance(600_000)
    expect(fired).toHaveLength(3)
  })

  test('does not fire what still runs; others do', async () => {
    const time = handMadeTime('2026-11-21T10:00:00')
    const fired: string[] = []
    const slow = Promise.withResolvers<void>()
    startClock({
      crons: ['* * * * *', '*/1 * * * *'].map(parseCron),
      async fire(expression) {
        fired.push(expression)
        if (expression === '* * * * *') await slow.promise
      },
      failed: () => {},
      time,
    })
    await time.advance(180_000)
    expect(fired).toEqual(['* * * * *', '*/1 * * * *', '*/1 * * * *', '*/1 * * * *'])
    slow.resolve()
    await time.advance(60_000)
    expect(fired.filter((expression) => expression === '* * * * *')).toHaveLength(2)
  })

  test('a failure is told, and it fires again', async () => {
    const time = handMadeTime('2026-11-21T10:00:00')
    const failures: string[] = []
    startClock({
      crons: [parseCron('* * * * *')],
      fire: async (_, scheduled) => {
        throw new Error(scheduled.toISOString())
      },
      failed: (expression, error) => failures.push(`${expression}: ${String(error)}`),
      time,
    })
    await time.advance(120_000)
    expect(failures).toEqual([
      '* * * * *: Error: 2026-11-21T10:01:00.000Z',
      '* * * * *: Error: 2026-11-21T10:02:00.000Z',
    ])
  })

  test('a timer that comes early fires its minute once', async () => {
    const time = handMadeTime('2026-11-21T10:00:59.999')
    const fired: string[] = []
    startClock({
      crons: [parseCron('* * * * *')],
      fire: async (_, scheduled) => {
        fired.push(scheduled.toISOString())
      },
      failed: () => {},
      time: { now: time.now, after: (ms, callback) => time.after(Math.max(1, ms - 2), callback) },
    })
    await time.advance(61_000)
    expect(fired).toEqual(['2026-11-21T10:01:00.000Z', '2026-11-21T10:02:00.000Z'])
  })
})

describe('cron expressions', () => {
  test.each([
    ['* * * * *', '2026-11-21T10:59', true],
    ['*/15 * * * *', '2026-11-21T10:45', true],
    ['*/15 * * * *', '2026-11-21T10:46', false],
    ['5/20 * * * *', '2026-11-21T10:25', true],
    ['0 3 * * *', '2026-11-21T03:00', true],
    ['0 3 * * *', '2026-11-21T04:00', false],
    ['0 0 1 * *', '2026-11-01T00:00', true],
    ['0 0 1 jan,DEC *', '2026-11-01T00:00', false],
    // Cloudflare counts days of the week from 1, Sunday; the 22nd was one.
    ['0 0 * * 1', '2026-11-22T00:00', true],
    ['0 0 * * MON-FRI', '2026-11-22T00:00', false],
    ['0 0 1 * SUN', '2026-11-22T00:00', true],
    ['0 0 1 * SUN', '2026-11-23T00:00', false],
    ['0 9-17/4 * * *', '2026-11-21T13:00', true],
  ])('%s at %s: %s', (expression, time, due) => {
    expect(parseCron(expression).matches(at(`${time}:00`))).toBe(due)
  })

  test.each([
    '* * * *',
    '60 * * * *',
    '* * * * 0',
    '* * L * *',
    '* * * * 2#1',
    '5-1 * * * *',
    '*/0 * * * *',
    'a * * * *',
    '1-2-3 * * * *',
  ])('%s is refused by name', (expression) => {
    expect(() => parseCron(expression)).toThrow(`cron expression "${expression}"`)
  })
})

describe('wrangler.toml', () => {
  test('its crons are those of the schedule', async () => {
    const crons = cronsOf(await readFile(new URL('../../wrangler.toml', import.meta.url), 'utf8'))
    expect(new Set(crons.map(({ expression }) => expression))).toEqual(new Set(SCHEDULE.map(({ cron }) => cron)))
  })

  test('a list over several lines, with comments, after other keys', () => {
    const toml = `[vars]\ncrons = ["0 0 * * *"]\n# [triggers]\n[triggers]\n# crons = ["1 1 * * *"]\ncrons = [\n  "* * * * *",\n  # "2 2 * * *",\n  '0 3 * * *',\n]\n[x]\n`
    expect(cronsOf(toml).map(({ expression }) => expression)).toEqual(['* * * * *', '0 3 * * *'])
  })

  test('none', () => {
    expect(() => cronsOf('[triggers]\n[vars]\ncrons = ["* * * * *"]\n')).toThrow('no crons')
  })
})
