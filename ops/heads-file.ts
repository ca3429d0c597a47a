import { readFile } from 'node:fs/promises'
import { z } from 'zod'
import type { SignedHead } from '../functions/core/heads.ts'
import { Refusal } from './refusal.ts'

const Head = z.object({
  namespace: z.string(),
  number: z.int().min(1),
  chain: z.enum(['ledger', 'audit']),
  account_uuid: z.uuid().nullable(),
  resource: z.string().nullable(),
  seq: z.int().min(1),
  hash: z.string(),
  signed_at: z.string(),
  key_id: z.string(),
  previous: z.string().nullable(),
  signature: z.string(),
})
/** A line is a head, as the export has them, or a page of GET /v1/ledger/heads. */
const Line = z.union([Head, z.object({ data: z.array(Head) })])

/** The signed heads in a file, in order; one that is in it several times, once. @throws Refusal that names the line */
export async function readHeads(file: string): Promise<SignedHead[]> {
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    throw new Refusal(`--heads ${file}: ${error instanceof Error ? error.message : String(error)}`)
  })
  const heads = new Map<string, SignedHead>()
  for (const [index, line] of text.split('\n').entries()) {
    if (line.trim() === '') continue
    for (const head of parseLine(line, `--heads ${file}, line ${index + 1}`)) {
      heads.set(JSON.stringify([head.namespace, head.number, head.signature]), head)
    }
  }
  return [...heads.values()].sort((a, b) => compare(a.namespace, b.namespace) || a.number - b.number)
}

function parseLine(line: string, where: string): SignedHead[] {
  try {
    const parsed = Line.parse(JSON.parse(line))
    return 'data' in parsed ? parsed.data : [parsed]
  } catch {
    throw new Refusal(`${where}: neither a signed head nor a page of them`)
  }
}

function compare(left: string, right: string): number {
  if (left === right) return 0
  return left < right ? -1 : 1
}
