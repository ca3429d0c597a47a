import { equalInConstantTime, type HmacKey, hmacHex, sha256Hex } from './encoding.ts'

/**
 * `mec_sk_<namespace>_<random>_<check>`. The check is a truncated HMAC over the rest, so that a made-up key costs
 * neither Postgres nor Redis a request. The namespace is a hint for caches: only Postgres says where a key belongs.
 */
const KEY = /^(mec_sk_([a-z0-9][a-z0-9-]{0,62})_[A-Za-z0-9]{24,64})_([0-9a-f]{16})$/
const CHECK_LENGTH = 16
const RANDOM_LENGTH = 32
const SHOWN_RANDOM_LENGTH = 4
const BASE62 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'
/** The largest multiple of 62 in a byte: taking bytes beyond it would favour the first letters. */
const FAIR_BYTES = 248

export const NAMESPACE = /^[a-z0-9][a-z0-9-]{0,62}$/

export interface MintedKey {
  /** The key itself. It is shown once and stored nowhere. */
  readonly secret: string
  /** Hex SHA-256 of the secret. */
  readonly hash: string
  /** Its first part, by which people recognise it. */
  readonly prefix: string
}

export type RandomBytes = (length: number) => Uint8Array

/** Makes a key for a namespace. `pepper` is the HMAC key of KEY_PEPPER. */
export async function mintKey(namespace: string, pepper: HmacKey, randomBytes: RandomBytes): Promise<MintedKey> {
  const stem = `mec_sk_${namespace}_${randomBase62(RANDOM_LENGTH, randomBytes)}`
  const secret = `${stem}_${await checkOf(stem, pepper)}`
  return {
    secret,
    hash: await sha256Hex(secret),
    prefix: stem.slice(0, stem.lastIndexOf('_') + 1 + SHOWN_RANDOM_LENGTH),
  }
}

/** The namespace that a key claims to be of, or null when no service with this pepper has made it. */
export async function namespaceOfKey(key: string, pepper: HmacKey): Promise<string | null> {
  const [, stem, namespace, check] = KEY.exec(key) ?? []
  if (!stem || !namespace || !check) return null
  return equalInConstantTime(check, await checkOf(stem, pepper)) ? namespace : null
}

async function checkOf(stem: string, pepper: HmacKey): Promise<string> {
  return (await hmacHex(pepper, stem)).slice(0, CHECK_LENGTH)
}

function randomBase62(length: number, randomBytes: RandomBytes): string {
  let text = ''
  while (text.length < length) {
    for (const byte of randomBytes(length)) {
      if (byte < FAIR_BYTES && text.length < length) text += BASE62[byte % BASE62.length]
    }
  }
  return text
}
