/**
 * What a client gets that did not ask for raw text (`Neon-Raw-Text-Output`; the driver always does): Postgres' text as
 * JSON text, converted as in Neon's proxy. Integers up to 32 bits, finite floats and booleans become JSON's own, json
 * and jsonb stand in it as they are, arrays recurse, all else stays a string.
 */
export function textToJson(text: string | null, typeId: number): string {
  if (text === null) return 'null'
  const element = ARRAY_ELEMENTS.get(typeId)
  if (element !== undefined) return arrayToJson(text, element)
  switch (typeId) {
    case BOOL:
      return text === 't' ? 'true' : 'false'
    case INT2:
    case INT4:
      return text
    case FLOAT4:
    case FLOAT8:
      return Number.isFinite(Number(text)) ? JSON.stringify(Number(text)) : JSON.stringify(text)
    case JSON_TYPE:
    case JSONB:
      return text
    default:
      return JSON.stringify(text)
  }
}

const BOOL = 16
const INT2 = 21
const INT4 = 23
const FLOAT4 = 700
const FLOAT8 = 701
const JSON_TYPE = 114
const JSONB = 3802

/** Array type → element type, of the built-in types that a table of ours or a test can hold. */
const ARRAY_ELEMENTS = new Map([
  [1000, BOOL],
  [1005, INT2],
  [1007, INT4],
  [1016, 20], // int8
  [1021, FLOAT4],
  [1022, FLOAT8],
  [199, JSON_TYPE],
  [3807, JSONB],
  [1009, 25], // text
  [1015, 1043], // varchar
  [1231, 1700], // numeric
  [2951, 2950], // uuid
  [1182, 1082], // date
  [1115, 1114], // timestamp
  [1185, 1184], // timestamptz
])

/** An item is a brace, a comma, a quoted string or the bare text between them. */
const ARRAY_TOKEN = /[{},]|"(?:[^"\\]|\\.)*"|[^{},"]+/gs

function arrayToJson(text: string, element: number): string {
  // `[1:1][3:5]={…}`: JSON has no place for bounds.
  const start = text.startsWith('[') ? text.indexOf('=') + 1 : 0
  return text.slice(start).replace(ARRAY_TOKEN, (token) => {
    if (token === '{') return '['
    if (token === '}') return ']'
    if (token === ',' || token.trim() === '') return token
    if (token.startsWith('"')) return textToJson(token.slice(1, -1).replace(/\\(.)/gs, '$1'), element)
    return token.trim() === 'NULL' ? 'null' : textToJson(token.trim(), element)
  })
}
