import { z } from '@hono/zod-openapi'
import { type Api, forward } from '../http/api.ts'
import { contract, pageOf } from '../http/contract.ts'
import { page, queryInteger } from '../http/fields.ts'
import type { Gateway } from '../store/gateway.ts'
import { id, instant, orNull } from './shapes.ts'

const SignedHead = z
  .object({
    namespace: z.string(),
    number: z.int().min(1).openapi({ description: 'Of the signed heads of the namespace, without gaps.' }),
    chain: z
      .enum(['ledger', 'audit'])
      .openapi({ description: 'The entries of an account and resource, or the audit trail.' }),
    account_uuid: orNull(id()).openapi({ description: 'The id that the account has inside; null of the audit trail.' }),
    resource: z.string().nullable(),
    seq: z.int().min(1).openapi({ description: 'The number of the last entry in the chain.' }),
    hash: z.string().openapi({ description: 'Its chain hash, which covers all entries up to it: SHA-256, in hex.' }),
    signed_at: instant(),
    key_id: z.string().openapi({ description: 'Which signing key it was.' }),
    previous: z.string().nullable().openapi({ description: 'The signature of the head before it.' }),
    signature: z.string().openapi({ description: 'HMAC-SHA-256, in hex, of all other fields: docs/LEDGER_CHAIN.md.' }),
  })
  .openapi('SignedHead')
const Heads = pageOf(SignedHead).openapi('SignedHeadList')

const ListInput = z.strictObject({
  after: queryInteger(0, Number.MAX_SAFE_INTEGER).optional().openapi({
    description: 'Only those with a higher number: what is new since you last asked.',
    example: 0,
  }),
  ...page(),
})
const listHeads = contract({
  method: 'get',
  path: '/v1/ledger/heads',
  operationId: 'listSignedHeads',
  tag: 'Ledger',
  summary: 'Signed heads of the hash chains, oldest first',
  description:
    'Every hour the chains that have moved are signed with a key that is not in the database. Keep a copy, and `npm run ledger:verify -- --heads FILE` proves that nothing recorded before was changed, deleted, inserted or cut off since, by whomever.',
  scopes: ['admin'],
  input: ListInput,
  statuses: { 200: 'A page of signed heads.' },
  answer: Heads,
  example: {
    answer: {
      data: [
        {
          namespace: 'default',
          number: 1,
          chain: 'ledger',
          account_uuid: '019a9f3e-5d2c-7c11-9f5e-3b1f6f0f2a13',
          resource: 'benchmark_runs',
          seq: 411,
          hash: '9c56cc51b374c3ba189210d5b6d4bf57790d351c96c47c02190ecf1e430635ab',
          signed_at: '2026-11-21T10:07:00.118Z',
          key_id: '5f1d7a84db00d2fc',
          previous: null,
          signature: '2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b',
        },
      ],
      has_more: false,
      next_cursor: null,
    },
  },
})

export function serveHeads(api: Api, gateway: Gateway): void {
  api.serve(listHeads, forward(gateway.bind<z.output<typeof ListInput>, z.input<typeof Heads>>('api_ledger_heads')))
}
