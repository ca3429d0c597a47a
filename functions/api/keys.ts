import { z } from '@hono/zod-openapi'
import { SCOPES } from '../core/vocabulary.ts'
import { type Api, type Exchange, forward } from '../http/api.ts'
import type { MintedKey } from '../http/api-key.ts'
import { contract, pageOf } from '../http/contract.ts'
import { integer, page, printable, time, uuid } from '../http/fields.ts'
import type { Gateway } from '../store/gateway.ts'
import { id, instant, ScopeName } from './shapes.ts'

/** Makes the secret of a new key of a namespace. */
export type Mint = (namespace: string) => Promise<MintedKey>

export const Key = z
  .object({
    key_id: id(),
    name: z.string(),
    prefix: z.string().openapi({ description: 'The first part of the secret, to recognise it by.' }),
    scopes: z.array(ScopeName),
    expires_at: instant().nullable(),
    created_at: instant(),
    last_used_at: instant().nullable(),
    revoked_at: instant().nullable(),
  })
  .openapi('Key')
export const NewKey = Key.extend({
  secret: z.string().openapi({ description: 'The key itself, shown this once.' }),
}).openapi('NewKey')
const KeyList = pageOf(Key).openapi('KeyList')

export const KEY_EXAMPLE = {
  key_id: '019a9f3e-5d2c-7c11-9f5e-3b1f6f0f2a15',
  name: 'checkout',
  prefix: 'mec_sk_default_Ab3d',
  scopes: ['check', 'meter'],
  expires_at: null,
  created_at: '2026-11-01T00:00:00Z',
  last_used_at: null,
  revoked_at: null,
}

const KeyRequest = z
  .strictObject({
    name: printable().openapi({ example: 'checkout' }),
    scopes: z
      .array(z.enum(SCOPES))
      .min(1)
      .max(SCOPES.length)
      .refine((scopes) => new Set(scopes).size === scopes.length, 'must not repeat a scope')
      .openapi({ uniqueItems: true, example: ['check', 'meter'] }),
    expires_at: time().nullish().openapi({ description: 'Null is without end.' }),
  })
  .openapi('KeyRequest')

const createKey = contract({
  method: 'post',
  path: '/v1/keys',
  operationId: 'createKey',
  tag: 'Keys',
  summary: 'Make an API key',
  description: "Of the caller's namespace. The secret is in this answer and nowhere else.",
  scopes: ['admin'],
  input: KeyRequest,
  statuses: { 201: 'The key, with its secret.' },
  answer: NewKey,
  example: {
    request: { name: 'checkout', scopes: ['check', 'meter'] },
    answer: { ...KEY_EXAMPLE, secret: 'mec_sk_default_Ab3d…' },
  },
})

const ListInput = z.strictObject(page())
const listKeys = contract({
  method: 'get',
  path: '/v1/keys',
  operationId: 'listKeys',
  tag: 'Keys',
  summary: 'The API keys of the namespace',
  scopes: ['read'],
  input: ListInput,
  statuses: { 200: 'A page of keys, without their secrets.' },
  answer: KeyList,
  example: { answer: { data: [KEY_EXAMPLE], has_more: false, next_cursor: null } },
})

const ById = z.strictObject({ key_id: uuid() })
const getKey = contract({
  method: 'get',
  path: '/v1/keys/{key_id}',
  operationId: 'getKey',
  tag: 'Keys',
  summary: 'One API key',
  scopes: ['read'],
  input: ById,
  statuses: { 200: 'The key, without its secret.' },
  answer: Key,
  errors: { 404: 'No such key.' },
  example: { answer: KEY_EXAMPLE },
})

const revokeKey = contract({
  method: 'delete',
  path: '/v1/keys/{key_id}',
  operationId: 'revokeKey',
  tag: 'Keys',
  summary: 'Revoke an API key',
  description: 'Everywhere within 10 seconds.',
  scopes: ['admin'],
  input: ById,
  statuses: { 200: 'The key. Again: the same.' },
  answer: Key,
  errors: { 404: 'No such key.' },
  example: { answer: { ...KEY_EXAMPLE, revoked_at: '2026-11-21T10:00:00Z' } },
})

const MAX_OVERLAP_SECONDS = 30 * 24 * 60 * 60
const RotateInput = ById.extend({
  overlap_seconds: integer(0, MAX_OVERLAP_SECONDS).optional().openapi({
    default: 86_400,
    description: 'How long the old key still works, at most 30 days; never beyond its own end.',
    example: 3600,
  }),
})
const rotateKey = contract({
  method: 'post',
  path: '/v1/keys/{key_id}/rotate',
  operationId: 'rotateKey',
  tag: 'Keys',
  summary: 'Replace an API key',
  description:
    'By a new one of the same name, scopes and end, whose secret is in this answer and nowhere else. The old one works until the overlap is over. A key is rotated once; after that its successor is.',
  scopes: ['admin'],
  input: RotateInput,
  statuses: { 201: 'The new key, with its secret.' },
  answer: NewKey,
  errors: { 404: 'No such key.', 409: '`key_rotated`.', 410: '`key_revoked`, `key_expired`.' },
  example: {
    request: { overlap_seconds: 3600 },
    answer: { ...KEY_EXAMPLE, secret: 'mec_sk_default_Ab3d…' },
  },
})

/** What SQL stores of a secret. It refuses when `namespace` is not the caller's: the edge only knows a hint. */
interface Minted {
  readonly namespace: string
  readonly hash: string
  readonly prefix: string
}

export function serveKeys(api: Api, gateway: Gateway, mint: Mint): void {
  /** A handler that mints a secret, has SQL store the key, and shows both. */
  function minting<Input extends object>(name: 'api_key_create' | 'api_key_rotate') {
    const store = gateway.bind<Input & Minted, z.input<typeof Key>>(name)
    return async function handleMinting({ input, caller, ask }: Exchange<Input>) {
      const { secret, hash, prefix } = await mint(caller.namespaceHint)
      const key = await ask(store, { ...input, namespace: caller.namespaceHint, hash, prefix })
      return { status: 201, body: { ...key, secret } } as const
    }
  }

  api.serve(createKey, minting<z.output<typeof KeyRequest>>('api_key_create'))
  api.serve(rotateKey, minting<z.output<typeof RotateInput>>('api_key_rotate'))
  api.serve(listKeys, forward(gateway.bind<z.output<typeof ListInput>, z.input<typeof KeyList>>('api_key_list')))
  api.serve(getKey, forward(gateway.bind<z.output<typeof ById>, z.input<typeof Key>>('api_key_get')))
  api.serve(revokeKey, forward(gateway.bind<z.output<typeof ById>, z.input<typeof Key>>('api_key_revoke')))
}
