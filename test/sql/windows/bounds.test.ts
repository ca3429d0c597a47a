import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { sql } from '../../support/sql.ts'

type Bounds = { window_start: string; window_end: string }

async function bounds(
  windowClass: string,
  period: string | null,
  anchor: string | null,
  zone: string,
  at: string,
): Promise<Bounds> {
  const [row] = await sql<Bounds>(
    `select fn_rfc3339(b.window_start) as window_start, fn_rfc3339(b.window_end) as window_end
     from fn_window_bounds($1, $2::interval, $3::timestamptz, $4, $5::timestamptz) b`,
    [windowClass, period, anchor, zone, at],
  )
  if (!row) throw new Error('no bounds')
  return row
}

const Z = 'T00:00:00Z'

describe('calendar', () => {
  it.each([
    // Months by local midnights; offsets differ on both sides of a change of clocks.
    ['1 month', 'UTC', `2026-11-01${Z}`, `2026-11-01${Z}`, `2026-12-01${Z}`],
    ['1 month', 'UTC', '2026-11-30T23:59:59.999999Z', `2026-11-01${Z}`, `2026-12-01${Z}`],
    ['1 month', 'UTC', `2028-02-29${Z}`, `2028-02-01${Z}`, `2028-03-01${Z}`],
    ['1 month', 'UTC', `2026-12-31${Z}`, `2026-12-01${Z}`, `2027-01-01${Z}`],
    ['1 month', 'Europe/Berlin', '2026-03-10T12:00:00Z', '2026-02-28T23:00:00Z', '2026-03-31T22:00:00Z'],
    ['1 month', 'Europe/Berlin', '2026-10-31T22:59:59Z', '2026-09-30T22:00:00Z', '2026-10-31T23:00:00Z'],
    ['1 month', 'Europe/Berlin', '2026-10-31T23:00:00Z', '2026-10-31T23:00:00Z', '2026-11-30T23:00:00Z'],
    ['1 month', 'America/New_York', '2026-11-01T03:59:59Z', '2026-10-01T04:00:00Z', '2026-11-01T04:00:00Z'],
    ['1 month', 'America/New_York', '2026-11-01T04:00:00Z', '2026-11-01T04:00:00Z', '2026-12-01T05:00:00Z'],
    ['1 month', 'Asia/Kathmandu', '2026-06-30T18:14:59Z', '2026-05-31T18:15:00Z', '2026-06-30T18:15:00Z'],
    ['1 month', 'Pacific/Kiritimati', '2026-12-31T10:00:00Z', '2026-12-31T10:00:00Z', '2027-01-31T10:00:00Z'],
    ['1 month', 'Pacific/Pago_Pago', '2027-01-01T10:59:59Z', '2026-12-01T11:00:00Z', '2027-01-01T11:00:00Z'],
    ['1 month', 'Australia/Lord_Howe', '2026-10-15T00:00:00Z', '2026-09-30T13:30:00Z', '2026-10-31T13:00:00Z'],
    // Days of 23 and 25 hours.
    ['1 day', 'Europe/Berlin', '2026-03-29T12:00:00Z', '2026-03-28T23:00:00Z', '2026-03-29T22:00:00Z'],
    ['1 day', 'Europe/Berlin', '2026-10-25T12:00:00Z', '2026-10-24T22:00:00Z', '2026-10-25T23:00:00Z'],
    // A day without a midnight (clocks go from 00:00 to 01:00), and one with two (from 24:00 back to 23:00).
    ['1 day', 'America/Sao_Paulo', '2018-11-04T12:00:00Z', '2018-11-04T03:00:00Z', '2018-11-05T02:00:00Z'],
    ['1 day', 'America/Sao_Paulo', '2018-02-17T12:00:00Z', '2018-02-17T02:00:00Z', '2018-02-18T03:00:00Z'],
    // Mondays.
    ['7 days', 'UTC', '2026-11-21T10:00:00Z', `2026-11-16${Z}`, `2026-11-23${Z}`],
    ['7 days', 'UTC', `2026-11-23${Z}`, `2026-11-23${Z}`, `2026-11-30${Z}`],
    ['7 days', 'UTC', '1999-12-31T10:00:00Z', `1999-12-27${Z}`, `2000-01-03${Z}`],
    ['7 days', 'America/New_York', '2026-11-02T04:59:59Z', '2026-10-26T04:00:00Z', '2026-11-02T05:00:00Z'],
    // Quarters and years.
    ['3 months', 'UTC', '2026-11-21T10:00:00Z', `2026-10-01${Z}`, `2027-01-01${Z}`],
    ['3 months', 'UTC', `2026-04-01${Z}`, `2026-04-01${Z}`, `2026-07-01${Z}`],
    ['3 months', 'Europe/Berlin', '2026-05-05T00:00:00Z', '2026-03-31T22:00:00Z', '2026-06-30T22:00:00Z'],
    ['12 months', 'UTC', '2028-02-29T10:00:00Z', `2028-01-01${Z}`, `2029-01-01${Z}`],
    ['12 months', 'Asia/Tokyo', '2026-12-31T15:00:00Z', '2026-12-31T15:00:00Z', '2027-12-31T15:00:00Z'],
    // Shorter periods run in absolute time.
    ['1 hour', 'Asia/Kathmandu', '2026-11-21T10:59:59.999Z', '2026-11-21T10:00:00Z', '2026-11-21T11:00:00Z'],
  ])('%s in %s at %s: %s to %s', async (period, zone, at, start, end) => {
    expect(await bounds('calendar', period, null, zone, at)).toEqual({ window_start: start, window_end: end })
  })
})

describe('anchored', () => {
  it.each([
    // From the 31st: clamped to each month's end, and back on the 31st after it.
    ['1 month', '2027-01-31T10:30:00Z', '2027-01-31T10:30:00Z', '2027-01-31T10:30:00Z', '2027-02-28T10:30:00Z'],
    ['1 month', '2027-01-31T10:30:00Z', '2027-02-28T10:29:59.999Z', '2027-01-31T10:30:00Z', '2027-02-28T10:30:00Z'],
    ['1 month', '2027-01-31T10:30:00Z', '2027-02-28T10:30:00Z', '2027-02-28T10:30:00Z', '2027-03-31T10:30:00Z'],
    ['1 month', '2027-01-31T10:30:00Z', '2027-04-15T00:00:00Z', '2027-03-31T10:30:00Z', '2027-04-30T10:30:00Z'],
    ['1 month', '2027-01-31T10:30:00Z', '2027-05-31T10:30:00Z', '2027-05-31T10:30:00Z', '2027-06-30T10:30:00Z'],
    ['1 month', '2027-01-31T10:30:00Z', '2028-02-29T10:30:00Z', '2028-02-29T10:30:00Z', '2028-03-31T10:30:00Z'],
    ['1 month', '2027-01-31T10:30:00Z', '2032-02-28T10:30:00Z', '2032-01-31T10:30:00Z', '2032-02-29T10:30:00Z'],
    ['1 month', '2028-02-29T00:00:00Z', '2029-02-28T00:00:00Z', '2029-02-28T00:00:00Z', '2029-03-29T00:00:00Z'],
    ['1 month', '2026-11-15T08:00:00Z', '2026-11-15T07:59:59Z', '2026-10-15T08:00:00Z', '2026-11-15T08:00:00Z'],
    ['12 months', '2028-02-29T00:00:00Z', '2029-03-01T00:00:00Z', '2029-02-28T00:00:00Z', '2030-02-28T00:00:00Z'],
    ['12 months', '2028-02-29T00:00:00Z', '2032-02-29T00:00:00Z', '2032-02-29T00:00:00Z', '2033-02-28T00:00:00Z'],
    ['12 months', '2028-02-29T00:00:00Z', '2032-02-28T23:59:59Z', '2031-02-28T00:00:00Z', '2032-02-29T00:00:00Z'],
    ['7 days', '2026-11-18T06:00:00Z', '2026-12-02T05:59:59Z', '2026-11-25T06:00:00Z', '2026-12-02T06:00:00Z'],
  ])('%s from %s at %s: %s to %s', async (period, anchor, at, start, end) => {
    // The account's timezone has no say.
    for (const zone of ['UTC', 'America/New_York']) {
      expect(await bounds('anchored', period, anchor, zone, at)).toEqual({ window_start: start, window_end: end })
    }
  })

  it('from 31 January through ten years the starts never drift', async () => {
    const starts = await sql<{ start: string }>(
      `with recursive w as (
         select window_start, window_end from fn_window_bounds('anchored', '1 month', '2027-01-31T10:30:00Z', 'UTC', '2027-01-31T10:30:00Z')
         union all
         select b.window_start, b.window_end from w, fn_window_bounds('anchored', '1 month', '2027-01-31T10:30:00Z', 'UTC', w.window_end) b
         where w.window_end < '2037-02-01')
       select fn_rfc3339(window_start) as start from w order by window_start`,
    )
    const expected = Array.from({ length: 121 }, (_, month) => {
      const last = new Date(Date.UTC(2027, month + 1, 0))
      return `${last.toISOString().slice(0, 10)}T10:30:00Z`
    })
    expect(starts.map((row) => row.start)).toEqual(expected)
  })
})

it('rolling windows are billed by the calendar month; none begins at the anchor and has no end', async () => {
  expect(await bounds('rolling', '30 days', null, 'Europe/Berlin', '2026-11-21T10:00:00Z')).toEqual({
    window_start: '2026-10-31T23:00:00Z',
    window_end: '2026-11-30T23:00:00Z',
  })
  expect(await bounds('none', null, '2026-11-21T10:00:00Z', 'UTC', '2030-01-01T00:00:00Z')).toEqual({
    window_start: '2026-11-21T10:00:00Z',
    window_end: null,
  })
})

const zones = ['UTC', 'Europe/Berlin', 'America/New_York', 'Asia/Kathmandu', 'America/Sao_Paulo', 'Australia/Lord_Howe']
const types = [
  ['calendar', '1 month'],
  ['calendar', '1 day'],
  ['calendar', '7 days'],
  ['calendar', '3 months'],
  ['calendar', '12 months'],
  ['calendar', '6 hours'],
  ['anchored', '1 month'],
  ['anchored', '12 months'],
  ['anchored', '7 days'],
] as const

it('every instant lies in exactly one window, and the windows follow on one another without a gap', async () => {
  const instant = fc.date({ min: new Date('2015-01-01'), max: new Date('2045-01-01'), noInvalidDate: true })
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...zones),
      fc.constantFrom(...types),
      instant,
      instant,
      async (zone, [windowClass, period], at, anchor) => {
        const [row] = await sql<{ holds: boolean; same: boolean; last: boolean; next: boolean }>(
          `select b.window_start <= $5 and $5 < b.window_end as holds,
                f.window_start = b.window_start and f.window_end = b.window_end as same,
                l.window_start = b.window_start and l.window_end = b.window_end as last,
                n.window_start = b.window_end as next
         from fn_window_bounds($1, $2, $3, $4, $5::timestamptz) b,
              fn_window_bounds($1, $2, $3, $4, b.window_start) f,
              fn_window_bounds($1, $2, $3, $4, b.window_end - interval '1 microsecond') l,
              fn_window_bounds($1, $2, $3, $4, b.window_end) n`,
          [windowClass, period, anchor.toISOString(), zone, at.toISOString()],
        )
        expect(row).toEqual({ holds: true, same: true, last: true, next: true })
      },
    ),
    { seed: 20261121, numRuns: 300 },
  )
})
