import { Failure, invalidParameter } from '../core/failure.ts'
import { parseJson } from './json.ts'

/** One mebibyte. */
export const MAX_BODY_BYTES = 1_048_576
const JSON_TYPE = /^application\/json\s*(?:;.*)?$/i

export type JsonObject = Readonly<Record<string, unknown>>

/**
 * The JSON object in a request's body; null when the request has no body at all.
 * @throws Failure 415, 413 `body_too_large`, 400 `invalid_json` or `invalid_parameter`
 */
export async function readJsonObject(request: Request): Promise<JsonObject | null> {
  const declared = request.headers.get('content-length')
  if (declared === '0') return null
  // The stream is made when it is looked at: with a declared length nobody needs it.
  const stream = declared === null ? request.body : undefined
  if (stream === null) return null
  if (!JSON_TYPE.test(request.headers.get('content-type') ?? '')) {
    throw new Failure(415, 'unsupported_media_type', 'Send the body as application/json.')
  }
  if (Number(declared ?? 0) > MAX_BODY_BYTES) throw tooLarge()
  // A declared length is kept to by the transport; without one, what arrives has to be counted.
  const bytes = stream ? await readBounded(stream) : await request.arrayBuffer()
  if (bytes.byteLength > MAX_BODY_BYTES) throw tooLarge()
  if (bytes.byteLength === 0) return null
  const value = parse(bytes)
  if (!isObject(value)) throw invalidParameter(null, 'The body must be a JSON object.')
  return value
}

function parse(bytes: ArrayBuffer | Uint8Array): unknown {
  try {
    return parseJson(bytes)
  } catch {
    throw new Failure(400, 'invalid_json', 'The body is not valid JSON in UTF-8.')
  }
}

/** Reads no more than is allowed. */
async function readBounded(stream: ReadableStream<Uint8Array>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of stream) {
    length += chunk.byteLength
    // Leaving the loop cancels the stream.
    if (length > MAX_BODY_BYTES) throw tooLarge()
    chunks.push(chunk)
  }
  const [only, ...more] = chunks
  return only && more.length === 0 ? only : concatenate(chunks, length)
}

function concatenate(chunks: readonly Uint8Array[], length: number): Uint8Array {
  const bytes = new Uint8Array(length)
  let offset = 0
  for (const chunk of chunks) {
    bytes.set(chunk, offset)
    offset += chunk.byteLength
  }
  return bytes
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function tooLarge(): Failure {
  return new Failure(413, 'body_too_large', 'The body must not be larger than 1 MiB.')
}
