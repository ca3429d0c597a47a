import { type Answer, type Page, type Prose, type Section, type Step, sectionsOf } from './document.ts'
import { at, type Json } from './json-path.ts'

/** What the steps of a page answered when they were run. */
export type Recording = Map<number, Json[]>

/** Every statement of a page that is not so, each with its line. */
export function faultsOf(page: Page, recording: Recording): string[] {
  return sectionsOf(page).flatMap((section) => sectionFaults(page.file, section, recording))
}

export function sectionFaults(file: string, section: Section, recording: Recording): string[] {
  const known = knownFigures(section)
  let answers: Json[] = []
  return section.parts.flatMap((part) => {
    const located = (line: number, faults: string[]) => faults.map((fault) => `${file}:${line}: ${fault}`)
    if (part.kind === 'prose') return located(part.line, proseFaults(part, answers.at(-1), known))
    const given = recording.get(part.line)
    if (!given) throw new Error(`${file}:${part.line}: was not run`)
    answers = given
    return located(part.answer?.line ?? part.line, stepFaults(part, answers))
  })
}

function stepFaults(step: Step, answers: Json[]): string[] {
  const shown = step.answer ? answerCount(step.answer) : 0
  if (shown > answers.length) return [`shows ${shown} answers of ${answers.length}`]
  const faults = step.kind === 'bash' ? answers.slice(0, answers.length - shown).flatMap(silentFault) : []
  if (step.kind === 'sql' && step.answer && shown !== answers.length)
    faults.push(`shows ${shown} rows of ${answers.length}: ${JSON.stringify(answers)}`)
  const compared = answers.slice(answers.length - shown)
  return faults.concat(step.answer ? answerFaults(step.answer, compared) : [])
}

function answerCount(answer: Answer): number {
  if (answer.kind === 'json') return answer.values.length
  return (answer.kind === 'csv' ? answer.lines : answer.rows).length
}

/** A call whose answer is not shown is one that simply worked. */
function silentFault(answer: Json): string[] {
  if (typeof answer === 'string') return [`not shown, and no JSON: ${answer}`]
  const { error, allowed } = typeof answer === 'object' && answer !== null && !Array.isArray(answer) ? answer : {}
  return error !== undefined || allowed === false ? [`not shown, and no success: ${JSON.stringify(answer)}`] : []
}

function answerFaults(answer: Answer, answers: Json[]): string[] {
  if (answer.kind === 'json') return answer.values.flatMap((value, n) => differences(value, answers[n] ?? null, ''))
  if (answer.kind === 'csv') return answer.lines.flatMap((line, n) => differences(line, answers[n] ?? null, ''))
  return answer.rows.flatMap((cells, n) =>
    answer.columns.flatMap((column, c) => {
      const cell = withoutSeparators(cells[c] ?? '')
      const found = textOf(answers[n] ?? null, column)
      return matches(cell, found) ? [] : [`row ${n + 1}, ${column}: "${cell}", but it is "${found}"`]
    }),
  )
}

/** Where `expected` is not part of `actual`. */
function differences(expected: Json, actual: Json, path: string): string[] {
  const differ = () => [`${path.slice(1) || 'it'}: ${JSON.stringify(expected)}, but it is ${JSON.stringify(actual)}`]
  if (Array.isArray(expected)) {
    if (!Array.isArray(actual) || actual.length !== expected.length) return differ()
    return expected.flatMap((value, n) => differences(value, actual[n] ?? null, `${path}.${n}`))
  }
  if (typeof expected === 'object' && expected !== null) {
    if (typeof actual !== 'object' || actual === null || Array.isArray(actual)) return differ()
    return Object.entries(expected).flatMap(([name, value]) => {
      const found = actual[name]
      return found === undefined
        ? [`${`${path}.${name}`.slice(1)}: there is none in ${JSON.stringify(actual)}`]
        : differences(value, found, `${path}.${name}`)
    })
  }
  if (typeof expected === 'string' && typeof actual === 'string') return matches(expected, actual) ? [] : differ()
  return expected === actual ? [] : differ()
}

/** `…` stands for anything. */
function matches(pattern: string, text: string): boolean {
  const parts = pattern.split('…').map((part) => part.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'))
  return new RegExp(`^${parts.join('.*')}$`, 's').test(text)
}

function textOf(answer: Json, path: string): string {
  let found: Json
  try {
    found = at(answer, path)
  } catch {
    return '(nothing)'
  }
  return typeof found === 'string' ? found : JSON.stringify(found)
}

const NUMBER = String.raw`\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?`
/** A date or a number that is no part of a name, a time or an anchor. */
const FIGURE = new RegExp(
  String.raw`(?<![\w.:/#]|\w-)(?:\d{4}-\d\d-\d\d|${NUMBER})(?=(?:st|nd|rd|th)?(?![\w:]|\.\d|-\d))`,
  'g',
)
/** No figures of anything. */
const ADDRESS = /http:[\w:./]+|[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}/g
const SUM = new RegExp(String.raw`((?:${NUMBER})(?:\s*[×+−/]\s*(?:${NUMBER}))+)\s*=\s*(${NUMBER})`, 'g')
const NAMED = /`([\w.]+)`[^`*\n]{0,12}\*\*([^*]+)\*\*/g

/**
 * The figures of a text: a named one is that of the last answer; a sum adds up; every other one stands in a block, an
 * answer or a sum of the same section.
 */
function proseFaults({ text }: Prose, answer: Json | undefined, known: Set<string>): string[] {
  const faults: string[] = []
  for (const [, name = '', bold = ''] of text.matchAll(NAMED)) {
    const found = answer === undefined ? '(nothing)' : textOf(answer, name)
    if (withoutSeparators(bold) !== found) faults.push(`${name} **${bold}**, but it is ${found}`)
  }
  for (const [, bold = ''] of text.replaceAll(NAMED, '').matchAll(/\*\*([^*]+)\*\*/g))
    if (/^[\d.,]+$/.test(bold)) faults.push(`**${bold}** has no name of a field before it`)
  for (const [whole, sum = '', result = ''] of plain(text).matchAll(SUM))
    if (Math.abs(computed(sum) - valueIn(result)) > 1e-9) faults.push(`${whole} does not add up`)
  for (const [figure] of figuresOf(text)) if (!known.has(normal(figure))) faults.push(`${figure}: no block has it`)
  return faults
}

function knownFigures(section: Section): Set<string> {
  const known = new Set<string>()
  for (const part of section.parts) {
    if (part.kind === 'prose') {
      for (const [, , result = ''] of plain(part.text).matchAll(SUM)) known.add(normal(result))
    } else {
      for (const text of [part.code, part.answer?.text ?? ''])
        for (const [figure, day] of text.replace(ADDRESS, '').matchAll(/\d{4}-\d\d-(\d\d)|\d+(?:\.\d+)?/g)) {
          known.add(normal(figure))
          if (day !== undefined) known.add(normal(day))
        }
    }
  }
  return known
}

/** The figures of a text, and where in it they stand. */
export function figuresOf(text: string): RegExpExecArray[] {
  const blank = (part: string) => ' '.repeat(part.length)
  return [
    ...text
      .replace(/\]\([^)]*\)/g, blank)
      .replace(/^\s*\d+\. /gm, blank)
      .matchAll(FIGURE),
  ]
}

const plain = (text: string): string => text.replace(/`[\w.]+`|\*\*/g, '')
const withoutSeparators = (text: string): string =>
  /^\d{1,3}(,\d{3})+(\.\d+)?$/.test(text) ? text.replaceAll(',', '') : text
const normal = (figure: string): string => (figure.includes('-') ? figure : String(valueIn(figure)))
const valueIn = (figure: string): number => Number(figure.replaceAll(',', ''))

/** Products before sums, from left to right. */
function computed(sum: string): number {
  const terms = sum.split(/\s*([+−])\s*/)
  return terms.reduce((total, term, n) => {
    if (n % 2 === 1) return total
    const [first = '', ...factors] = term.split(/\s*([×/])\s*/)
    let product = valueIn(first)
    for (let f = 0; f < factors.length; f += 2) {
      const factor = valueIn(factors[f + 1] ?? '')
      product = factors[f] === '×' ? product * factor : product / factor
    }
    return terms[n - 1] === '−' ? total - product : total + product
  }, 0)
}
