import type { Credential } from '../core/credential.ts'
import { type Head, type HeadSigner, headText, type SignedHead } from '../core/heads.ts'
import type { Gateway } from '../store/gateway.ts'
import type { ScheduledJob, StepResult } from './job.ts'

/** Signs the heads of the chains that have moved, with a key outside the database, and puts them outside. */
export const signHeads: ScheduledJob = { job: 'sign_heads', cron: '7 * * * *', maxSteps: 200 }

/** An R2 bucket, as much of it as is used here. */
export interface HeadsBucket {
  put(key: string, value: string): Promise<unknown>
}

export interface SignHeadsSettings {
  readonly gateway: Gateway
  /** Null: there is no key, so nothing is signed. */
  readonly signer: (() => Promise<HeadSigner>) | null
  readonly bucket: HeadsBucket | undefined
}

interface Due {
  readonly heads: readonly Head[]
  readonly last: Readonly<Record<string, { readonly number: number; readonly signature: string | null }>>
  readonly signed_at: string
  readonly more: boolean
}

/** In one step. What is left waits for the next, which goes on from there. */
const MAX_EXPORTS = 10

export type SignHeads = (credential: Credential) => Promise<StepResult>

export function createSignHeads({ gateway, signer, bucket }: SignHeadsSettings): SignHeads {
  const askDue = gateway.bind<object, Due>('api_heads_due')
  const store = gateway.bind<{ heads: readonly SignedHead[] }, { stored: number }>('api_heads_store')
  const askUnexported = gateway.bind<object, { heads: readonly SignedHead[] }>('api_heads_export')

  return async function signDueHeads(credential) {
    if (!signer) {
      console.warn(JSON.stringify({ event: 'heads_not_signed', message: 'LEDGER_SIGNING_KEY is missing' }))
      return { job: 'sign_heads', processed: 0, more: false }
    }
    const { answer: due } = await askDue(credential, {})
    const heads = await signAll(due, await signer())
    const stored = heads.length === 0 ? 0 : (await store(credential, { heads })).answer.stored
    const isExported = bucket ? await exportAll(credential, bucket) : true
    return { job: 'sign_heads', processed: stored, more: due.more || !isExported }
  }

  /** Notes what was put only afterwards: what is put twice is the same, under the same name. */
  async function exportAll(credential: Credential, bucket: HeadsBucket): Promise<boolean> {
    let exported: object = {}
    for (let round = 0; round <= MAX_EXPORTS; round++) {
      const { heads } = (await askUnexported(credential, exported)).answer
      const [first, last] = [heads[0], heads.at(-1)]
      if (!first || !last) return true
      if (round === MAX_EXPORTS) break
      await bucket.put(objectName(first), heads.map((head) => `${JSON.stringify(head)}\n`).join(''))
      exported = { namespace: first.namespace, through: last.number }
    }
    return false
  }
}

/** Each follows on the one before it in its namespace. */
async function signAll({ heads, last, signed_at }: Due, { keyId, sign }: HeadSigner): Promise<SignedHead[]> {
  const lasts = new Map(Object.entries(last))
  const signed: SignedHead[] = []
  for (const head of heads) {
    const { number, signature: previous } = lasts.get(head.namespace) ?? { number: 0, signature: null }
    const unsigned = { ...head, number: number + 1, signed_at, key_id: keyId, previous }
    const signature = await sign(headText(unsigned))
    signed.push({ ...unsigned, signature })
    lasts.set(head.namespace, { number: number + 1, signature })
  }
  return signed
}

/** Names sort as the heads were signed. */
function objectName({ namespace, number, signed_at }: SignedHead): string {
  return `heads/${namespace}/${String(number).padStart(12, '0')}-${signed_at.slice(0, 10)}.jsonl`
}
