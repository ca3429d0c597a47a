import type { Json } from './json-path.ts'

/**
 * A page whose blocks are run, in order, and whose figures are compared. In it
 * - a ```bash or ```sql block is run; a ```json block or a table directly below it is its answer;
 * - JSON is compared in part: what it shows must be so, `…` in a string stands for anything; several values are the last
 *   answers of the block, in order;
 * - a table has one row for each answer (of SQL: for each row), its headings are the fields;
 * - a ```csv block directly below it has the lines of a file that is not JSON, all of them;
 * - in the text, a field's name with a bold figure, like `used` **50**, is compared with the last answer above it.
 */
export type Page = { file: string; chapters: Chapter[] }
/** What stands under a `##` heading; its blocks presume nothing but the chapter. */
export type Chapter = { heading: string; sections: Section[] }
/** What stands under one heading of any level. */
export type Section = { heading: string; line: number; parts: Part[] }
export type Part = Prose | Step
export type Prose = { kind: 'prose'; line: number; text: string }
export type Step = { kind: 'bash' | 'sql'; line: number; code: string; answer: Answer | undefined }
export type Answer = { line: number; text: string } & (
  | { kind: 'json'; values: Json[] }
  | { kind: 'table'; columns: string[]; rows: string[][] }
  | { kind: 'csv'; lines: string[] }
)

/** @throws on a block that cannot be run, or that answers to none */
export function parsePage(file: string, markdown: string): Page {
  const page: Page = { file, chapters: [] }
  let section: Section = { heading: '', line: 1, parts: [] }
  const chapter = (heading: string): Section[] => {
    const sections: Section[] = []
    page.chapters.push({ heading, sections })
    return sections
  }
  let sections = chapter('')
  sections.push(section)
  for (const piece of pieces(markdown)) {
    const fail = (why: string): never => {
      throw new Error(`${file}:${piece.line}: ${why}`)
    }
    if (piece.kind === 'heading') {
      if (piece.level === 2) sections = chapter(piece.text)
      section = { heading: piece.text, line: piece.line, parts: [] }
      sections.push(section)
      continue
    }
    const before = section.parts.at(-1)
    const asked = before && before.kind !== 'prose' && before.answer === undefined ? before : undefined
    if (piece.kind === 'prose') {
      section.parts.push({ kind: 'prose', line: piece.line, text: piece.text })
    } else if (piece.kind === 'table') {
      if (asked) asked.answer = parseAnswer('table', piece.line, piece.text)
      else section.parts.push({ kind: 'prose', line: piece.line, text: piece.text })
    } else if (piece.language === 'json' || piece.language === 'csv') {
      if (!asked) return fail('an answer without a block that asks')
      asked.answer = parseAnswer(piece.language, piece.line, piece.text)
    } else if (piece.language === 'bash' || piece.language === 'sql') {
      section.parts.push({ kind: piece.language, line: piece.line, code: piece.text, answer: undefined })
    } else {
      fail(`a block of the kind "${piece.language}" cannot be run, only bash and sql`)
    }
  }
  return page
}

export function parseAnswer(kind: Answer['kind'], line: number, text: string): Answer {
  if (kind === 'json') return { kind, line, text, values: valuesOf(text) }
  if (kind === 'csv') return { kind, line, text, lines: text.split('\n') }
  return { kind, line, text, ...tableOf(text) }
}

export const sectionsOf = (page: Page): Section[] => page.chapters.flatMap((chapter) => chapter.sections)

type Piece =
  | { kind: 'heading'; line: number; text: string; level: number }
  | { kind: 'prose'; line: number; text: string }
  | { kind: 'table'; line: number; text: string }
  | { kind: 'block'; line: number; text: string; language: string }

function* pieces(markdown: string): Generator<Piece> {
  const lines = markdown.split('\n')
  for (let at = 0; at < lines.length; ) {
    const line = at + 1
    const text = lines[at] ?? ''
    const until = (ends: (line: string) => boolean): string => {
      const start = at
      while (at < lines.length && !ends(lines[at] ?? '')) at++
      return lines.slice(start, at).join('\n')
    }
    const heading = /^(#{1,6}) (.*)$/.exec(text)
    const fence = /^```(.*)$/.exec(text)
    if (heading) {
      at++
      yield { kind: 'heading', line, level: heading[1]?.length ?? 0, text: heading[2] ?? '' }
    } else if (fence) {
      at++
      yield { kind: 'block', line: line + 1, language: fence[1] ?? '', text: until((one) => one === '```') }
      at++
    } else if (text.startsWith('|')) {
      yield { kind: 'table', line, text: until((one) => !one.startsWith('|')) }
    } else if (text.trim() === '') {
      at++
    } else {
      yield { kind: 'prose', line, text: until((one) => one.trim() === '' || /^(#{1,6} |```|\|)/.test(one)) }
    }
  }
}

/** The first line of each value starts with its bracket, the others are indented. */
function valuesOf(text: string): Json[] {
  return text
    .split(/^(?=[{[])/m)
    .filter((value) => value.trim() !== '')
    .map((value) => JSON.parse(value) as Json)
}

function tableOf(text: string): { columns: string[]; rows: string[][] } {
  const [columns = [], , ...rows] = text.split('\n').map((line) =>
    line
      .replace(/^\||\|\s*$/g, '')
      .split('|')
      .map((cell) => cell.trim().replace(/^`(.*)`$/, '$1')),
  )
  return { columns, rows }
}
