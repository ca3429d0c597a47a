import { verify } from 'hono/jwt'
import { z } from 'zod'
import type { Credential, JwtCredential, KeyCredential } from '../core/credential.ts'
import { Failure } from '../core/failure.ts'
import { SCOPES, type Scope } from '../core/vocabulary.ts'
import { NAMESPACE, namespaceOfKey } from './api-key.ts'
import { equalInConstantTime, type HmacKey, importHmacKey, sha256Hex } from './encoding.ts'
import { isPrintable } from './text.ts'

const DAY_SECONDS = 24 * 60 * 60
/** How far an issuer's clock may be ahead of ours. */
const CLOCK_SKEW_SECONDS = 5
/** The development key is not of the usual form; its namespace is this one. */
const DEV_KEY_NAMESPACE = 'default'
const BEARER = /^Bearer +([^\s]{1,4096})$/i

export interface Secrets {
  /** The current one first; tokens of the others are accepted during a rotation. */
  readonly jwtSecrets: readonly string[]
  readonly keyPepper: string
  readonly devKey: string | undefined
}

export interface Caller {
  readonly credential: JwtCredential | KeyCredential
  /** Verified for a token; of a key only what the key says of itself. */
  readonly namespaceHint: string
}

/** What a key says of itself. */
interface KnownKey {
  readonly hash: string
  readonly namespaceHint: string
}

/** How many keys an isolate remembers to be ours; their number has no bound, its memory has. */
const MAX_KNOWN_KEYS = 1000

/** Tells who calls, without any I/O. @throws Failure 401 for whatever can be refused without asking Postgres. */
export type Authenticate = (authorization: string | undefined, requestId: string) => Promise<Caller>

/** `nowMs`: the wall clock, in milliseconds since 1970. */
export function createAuthenticate(secrets: Secrets, nowMs: () => number): Authenticate {
  const keys = importOnce(secrets)
  /** Only keys with a valid check, so that made-up ones cannot push others out. Whether they still live, Postgres says. */
  const known = new Map<string, KnownKey>()

  async function knownKey(key: string): Promise<KnownKey> {
    const found = known.get(key)
    if (found) return found
    const read = await readKey(key)
    if (known.size >= MAX_KNOWN_KEYS) known.clear()
    known.set(key, read)
    return read
  }

  async function readKey(key: string): Promise<KnownKey> {
    const { pepper, devKeyHash } = await keys()
    const hash = await sha256Hex(key)
    const isDevKey = devKeyHash !== null && equalInConstantTime(hash, devKeyHash)
    const namespaceHint = isDevKey ? DEV_KEY_NAMESPACE : await namespaceOfKey(key, pepper)
    if (namespaceHint === null) throw unauthenticated('This API key is not valid.')
    return { hash, namespaceHint }
  }

  return async function authenticate(authorization, requestId) {
    const token = BEARER.exec(authorization ?? '')?.[1]
    if (!token) throw unauthenticated('Send an API key or a token as "Authorization: Bearer …".')
    // A JWT has dots; a key, the development key included, has none.
    if (!token.includes('.')) {
      const { hash, namespaceHint } = await knownKey(token)
      return { credential: { type: 'key', hash, request_id: requestId }, namespaceHint }
    }
    const { jwtKeys } = await keys()
    const claims = await verifiedClaims(token, jwtKeys, nowMs() / 1000)
    if (!claims) throw unauthenticated('This token is not valid, or not any more.')
    const account = claims.sub ?? null
    const { ns: namespace, scope: scopes } = claims
    return {
      credential: { type: 'jwt', namespace, scopes, account, subject: account, request_id: requestId },
      namespaceHint: namespace,
    }
  }
}

/**
 * Refuses a token that lacks all of `scopes` (any one of them will do). A key passes: only Postgres knows its scopes.
 * @throws Failure 403 `missing_scope`
 */
export function requireScope(credential: Credential, scopes: readonly Scope[]): void {
  if (credential.type !== 'jwt' || credential.scopes.includes('admin')) return
  if (scopes.some((scope) => credential.scopes.includes(scope))) return
  throw new Failure(403, 'missing_scope', `This needs the scope ${scopes.join(' or ')}.`)
}

/**
 * Refuses a token that may act on one account only, and not on this one.
 * @throws Failure 403 `account_forbidden`
 */
export function requireAccount(credential: Credential, accountId: unknown, param = 'account_id'): void {
  if (credential.type !== 'jwt' || credential.account === null || typeof accountId !== 'string') return
  if (credential.account === accountId) return
  throw new Failure(403, 'account_forbidden', 'This token may act on another account only.', { param })
}

function unauthenticated(message: string): Failure {
  return new Failure(401, 'unauthenticated', message)
}

const NumericDate = z.number().nonnegative()
const Claims = z.object({
  ns: z.string().regex(NAMESPACE),
  /** Words that are no scopes of ours grant nothing: one issuer may serve several services. */
  scope: z.string().transform((text) => SCOPES.filter((scope) => text.split(' ').includes(scope))),
  exp: NumericDate,
  nbf: NumericDate.optional(),
  iat: NumericDate.optional(),
  sub: z
    .string()
    .refine((sub) => isPrintable(sub, 255))
    .optional(),
})

async function verifiedClaims(token: string, keys: readonly HmacKey[], nowSeconds: number) {
  for (const key of keys) {
    const payload = await payloadSignedWith(key, token)
    if (!payload) continue
    const claims = Claims.safeParse(payload).data
    if (!claims) return null
    const { exp, nbf = 0, iat = 0 } = claims
    const issuerSeconds = nowSeconds + CLOCK_SKEW_SECONDS
    const isValid = exp > nowSeconds && exp <= issuerSeconds + DAY_SECONDS && Math.max(nbf, iat) <= issuerSeconds
    return isValid ? claims : null
  }
  return null
}

/** Times are left to us: Hono would read the clock itself, and let a token without `exp` pass. */
async function payloadSignedWith(key: HmacKey, token: string) {
  try {
    return await verify(token, key, { alg: 'HS256', exp: false, nbf: false, iat: false })
  } catch {
    return null
  }
}

/** Keeps the imported keys, not their promises: another request must not wait for this one's. */
function importOnce(secrets: Secrets) {
  let imported: { pepper: HmacKey; jwtKeys: readonly HmacKey[]; devKeyHash: string | null } | undefined
  return async function importedKeys() {
    imported ??= {
      pepper: await importHmacKey(secrets.keyPepper),
      jwtKeys: await Promise.all(secrets.jwtSecrets.map(importHmacKey)),
      devKeyHash: secrets.devKey ? await sha256Hex(secrets.devKey) : null,
    }
    return imported
  }
}
