const NEEDS_QUOTES = /[",\r\n]/
const PLAIN_NUMBER = /^-?\d+(?:\.\d+)?$/
/** What spreadsheets take for the beginning of a formula, which may call programs and send data away. */
const FORMULA = /^[=+\-@\t\r＝＋－＠]/

/** A record of RFC 4180; null is empty. Text that a spreadsheet would run as a formula begins with an apostrophe. */
export function csvRecord(cells: readonly (string | null)[]): string {
  return `${cells.map(csvCell).join(',')}\r\n`
}

function csvCell(cell: string | null): string {
  if (cell === null) return ''
  const text = FORMULA.test(cell) && !PLAIN_NUMBER.test(cell) ? `'${cell}` : cell
  return NEEDS_QUOTES.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}
