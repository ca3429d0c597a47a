import { z } from '@hono/zod-openapi'
import { type Api, type Exchange, forward } from '../http/api.ts'
import { NAMESPACE } from '../http/api-key.ts'
import { contract, pageOf } from '../http/contract.ts'
import { integer, page } from '../http/fields.ts'
import type { Gateway } from '../store/gateway.ts'
import { KEY_EXAMPLE, Key, type Mint, NewKey } from './keys.ts'
import { instant } from './shapes.ts'

/** A year. */
const MAX_GRACE_SECONDS = 31_536_000

const Namespace = z
  .object({
    namespace: z.string(),
    is_sandbox: z.boolean().openapi({ description: 'Its clock can be moved.' }),
    raw_uuids: z.boolean().openapi({ description: 'An account id that is a UUID is used as it is.' }),
    late_arrival_grace_seconds: z
      .int()
      .openapi({ description: 'A window stays open to late entries for so long after its end.' }),
    created_at: instant(),
  })
  .openapi('Namespace')
const NamespaceList = pageOf(Namespace).openapi('NamespaceList')
const SqlCreated = z.object({ namespace: Namespace, key: Key })
const Created = z.object({ namespace: Namespace, key: NewKey }).openapi('NewNamespace')

const NAMESPACE_EXAMPLE = {
  namespace: 'acme-staging',
  is_sandbox: true,
  raw_uuids: false,
  late_arrival_grace_seconds: 3600,
  created_at: '2026-11-01T00:00:00Z',
}

const CreateRequest = z
  .strictObject({
    namespace: z
      .string()
      .regex(NAMESPACE, 'must be 1 to 63 of a-z, 0-9 and "-", and not begin with "-"')
      .openapi({ example: 'acme-staging' }),
    is_sandbox: z.boolean().optional().openapi({ default: false }),
    raw_uuids: z.boolean().optional().openapi({ default: false }),
    late_arrival_grace_seconds: integer(0, MAX_GRACE_SECONDS).optional().openapi({ default: 3600 }),
  })
  .openapi('NamespaceRequest')
const createNamespace = contract({
  method: 'post',
  path: '/v1/namespaces',
  operationId: 'createNamespace',
  tag: 'Namespaces',
  summary: 'Make a namespace and its first admin key',
  description: 'For the admin keys of the namespace `default` only.',
  scopes: ['admin'],
  input: CreateRequest,
  statuses: { 201: 'The namespace, and its first key with its secret.' },
  answer: Created,
  errors: { 403: '`operator_only`.', 409: 'There is one of that name.' },
  example: {
    request: { namespace: 'acme-staging', is_sandbox: true },
    answer: {
      namespace: NAMESPACE_EXAMPLE,
      key: { ...KEY_EXAMPLE, scopes: ['admin'], secret: 'mec_sk_acme-staging_Ab3d…' },
    },
  },
})

const ListInput = z.strictObject(page())
const listNamespaces = contract({
  method: 'get',
  path: '/v1/namespaces',
  operationId: 'listNamespaces',
  tag: 'Namespaces',
  summary: 'All namespaces',
  description: 'For the admin keys of the namespace `default` only.',
  scopes: ['admin'],
  input: ListInput,
  statuses: { 200: 'A page of namespaces.' },
  answer: NamespaceList,
  errors: { 403: '`operator_only`.' },
  example: { answer: { data: [NAMESPACE_EXAMPLE], has_more: false, next_cursor: null } },
})

interface NamespaceRecord extends z.output<typeof CreateRequest> {
  readonly key_hash: string
  readonly key_prefix: string
}

export function serveNamespaces(api: Api, gateway: Gateway, mint: Mint): void {
  const create = gateway.bind<NamespaceRecord, z.input<typeof SqlCreated>>('api_namespace_create')

  async function handleCreate({ input, ask }: Exchange<z.output<typeof CreateRequest>>) {
    const { secret, hash, prefix } = await mint(input.namespace)
    const { namespace, key } = await ask(create, { ...input, key_hash: hash, key_prefix: prefix })
    return { status: 201, body: { namespace, key: { ...key, secret } } } as const
  }

  api.serve(createNamespace, handleCreate)
  const list = gateway.bind<z.output<typeof ListInput>, z.input<typeof NamespaceList>>('api_namespace_list')
  api.serve(listNamespaces, forward(list))
}
