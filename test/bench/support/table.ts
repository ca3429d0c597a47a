import { type Goal, isMissed, type Result } from './row.ts'

const HEAD = ['what', 'against', 'value', 'baseline', 'ratio', 'spread', 'goal', '']
const LEFT_ALIGNED = 2

/** The results as a table for a terminal; `judged` tells which of them count. */
export function renderTable(results: readonly Result[], judged: (result: Result) => boolean): string {
  const lines = [
    HEAD,
    ...results.map((result) => [
      result.what,
      result.against,
      amount(result.a, result.unit),
      amount(result.b, result.unit),
      result.ratio.toFixed(2),
      `${result.min.toFixed(2)}–${result.max.toFixed(2)}`,
      goalText(result.goal),
      verdict(result, judged(result)),
    ]),
  ]
  const widths = HEAD.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)))
  const cell = (text: string, column: number) =>
    column < LEFT_ALIGNED ? text.padEnd(widths[column] ?? 0) : text.padStart(widths[column] ?? 0)
  return lines.map((line) => line.map(cell).join('  ').trimEnd()).join('\n')
}

function verdict(result: Result, judged: boolean): string {
  if (result.goal === 'report') return 'reported'
  if (!judged) return 'not judged'
  return isMissed(result) ? 'MISSED' : 'ok'
}

function amount(value: number, unit: string): string {
  const digits = Number.isInteger(value) || value >= 1000 ? 0 : value >= 100 ? 1 : 3
  return `${value.toFixed(digits)}${unit && ` ${unit}`}`
}

function goalText(goal: Goal): string {
  if (goal === 'report') return '–'
  if ('atMost' in goal) return `≤ ${goal.atMost}`
  return 'atLeast' in goal ? `≥ ${goal.atLeast}` : `= ${goal.equals}`
}
