/**
 * A cron expression as Cloudflare reads it: minute, hour, day of month, month, day of week (1–7 or SUN–SAT, Sunday
 * first), in UTC. `*`, numbers, names, lists, ranges and steps; L, W and # are not supported here.
 */
export type Cron = { expression: string; matches(at: Date): boolean }

const MONTHS = ['JAN', 'FEB', 'MAR', 'APR', 'MAY', 'JUN', 'JUL', 'AUG', 'SEP', 'OCT', 'NOV', 'DEC']
const WEEKDAYS = ['SUN', 'MON', 'TUE', 'WED', 'THU', 'FRI', 'SAT']

/** @throws Error that names the expression when it is none, or not supported */
export function parseCron(expression: string): Cron {
  const fields = expression.trim().split(/\s+/)
  const [minute, hour, day, month, weekday] = fields
  if (weekday === undefined || fields.length !== 5 || !minute || !hour || !day || !month) {
    throw new Error(`cron expression "${expression}": five fields are needed`)
  }
  try {
    const minutes = parseField(minute, 0, 59)
    const hours = parseField(hour, 0, 23)
    const days = parseField(day, 1, 31)
    const months = parseField(month, 1, 12, MONTHS)
    const weekdays = parseField(weekday, 1, 7, WEEKDAYS)
    // As in every cron: when both name days, either will do.
    const eitherDay = !day.startsWith('*') && !weekday.startsWith('*')
    return {
      expression,
      matches(at) {
        const onDay = days.has(at.getUTCDate())
        const onWeekday = weekdays.has(at.getUTCDay() + 1)
        return (
          minutes.has(at.getUTCMinutes()) &&
          hours.has(at.getUTCHours()) &&
          months.has(at.getUTCMonth() + 1) &&
          (eitherDay ? onDay || onWeekday : onDay && onWeekday)
        )
      },
    }
  } catch (error) {
    throw new Error(`cron expression "${expression}": ${error instanceof Error ? error.message : String(error)}`)
  }
}

function parseField(field: string, min: number, max: number, names: readonly string[] = []): Set<number> {
  const values = new Set<number>()
  for (const part of field.split(',')) {
    const [, range = '', step = '1'] = /^([^/]+)(?:\/([1-9]\d?))?$/.exec(part) ?? []
    const [from, to = part.includes('/') ? max : from] =
      range === '*' ? [min, max] : range.split('-').map((value) => parseValue(value, min, max, names))
    if (from === undefined || to === undefined || from > to || range.split('-').length > 2) {
      throw new Error(`"${part}" is not supported`)
    }
    for (let value = from; value <= to; value += Number(step)) values.add(value)
  }
  return values
}

function parseValue(text: string, min: number, max: number, names: readonly string[]): number {
  const named = names.indexOf(text.toUpperCase())
  const value = named >= 0 ? named + 1 : /^\d{1,2}$/.test(text) ? Number(text) : Number.NaN
  if (!(value >= min && value <= max)) throw new Error(`"${text}" is not supported`)
  return value
}

/** The cron expressions of a wrangler.toml: those of its top-level `[triggers]`. @throws Error when there are none */
export function cronsOf(wranglerToml: string): Cron[] {
  const text = wranglerToml.replace(/^\s*#.*$/gm, '')
  const [, list] = /^\[triggers\][^[]*?^\s*crons\s*=\s*\[([^\]]*)\]/m.exec(text) ?? []
  const expressions = [...(list ?? '').matchAll(/"([^"]*)"|'([^']*)'/g)].map(([, double, single]) => double ?? single)
  if (expressions.length === 0) throw new Error('wrangler.toml has no crons in [triggers]')
  return expressions.map((expression) => parseCron(expression ?? ''))
}
