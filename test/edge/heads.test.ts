import { env } from 'cloudflare:workers'
import { describe, expect, inject, onTestFinished, test } from 'vitest'
import { headText, type SignedHead } from '../../functions/core/heads.ts'
import { createHeadSigner } from '../../functions/http/head-signer.ts'
import { mintAccount, mintNamespace, mintToken, type Namespace, sql } from '../support/edge.ts'
import { bodyOf, consume, errorOf, grant, invalid } from '../support/edge-commands.ts'
import type { EdgeStores } from '../support/edge-stores.ts'
import { listAt } from '../support/json-path.ts'

const run = (namespace: Namespace, job: string) => bodyOf(200, namespace.call('POST', '/v1/maintenance/run', { job }))

async function used(namespace: Namespace, times: number) {
  const account = mintAccount()
  await grant(namespace, account)
  for (let n = 0; n < times; n++) await bodyOf(201, consume(namespace, account))
  return account
}

async function heads(namespace: Namespace, query = ''): Promise<SignedHead[]> {
  const page = await bodyOf(200, namespace.call('GET', `/v1/ledger/heads?limit=100${query}`))
  return JSON.parse(JSON.stringify(listAt(page, 'data')))
}

describe('the heads of chains', () => {
  test('are signed with a key that the database does not have, each after the one before it', async () => {
    const namespace = await mintNamespace()
    await used(namespace, 3)
    expect(await run(namespace, 'sign_heads')).toEqual({ results: [{ job: 'sign_heads', processed: 2, more: false }] })
    await used(namespace, 1)
    await run(namespace, 'sign_heads')
    const signed = await heads(namespace)
    expect(signed.map(({ chain, number, resource }) => [number, chain, resource])).toEqual([
      [1, 'audit', null],
      [2, 'ledger', 'benchmark_runs'],
      [3, 'audit', null],
      [4, 'ledger', 'benchmark_runs'],
    ])
    const signer = await createHeadSigner(inject<EdgeStores>('edge').signingKey)
    let previous: string | null = null
    for (const head of signed) {
      expect(head).toMatchObject({ namespace: namespace.name, previous, key_id: signer.keyId })
      expect(head.signature).toBe(await signer.sign(headText(head)))
      previous = head.signature
    }
    const [entry] = await sql(
      `select l.chain_seq as seq, encode(l.chain_hash, 'hex') as hash from consumption_ledger l
       where l.account_id = $1 order by chain_seq desc limit 1`,
      [signed[1]?.account_uuid ?? null],
    )
    expect(signed[1]).toMatchObject({ seq: Number(entry?.['seq']), hash: entry?.['hash'] })
    expect(signed[1]?.seq).toBe(3)
  })

  test('that have not moved are not signed again', async () => {
    const namespace = await mintNamespace()
    await used(namespace, 1)
    await run(namespace, 'sign_heads')
    const [before] = [await heads(namespace)]
    expect(await run(namespace, 'sign_heads')).toEqual({ results: [{ job: 'sign_heads', processed: 0, more: false }] })
    expect(await heads(namespace)).toEqual(before)
  })

  test('signed by several at once follow on one another without a gap', async () => {
    const namespace = await mintNamespace()
    await used(namespace, 1)
    await Promise.all(Array.from({ length: 6 }, () => run(namespace, 'sign_heads')))
    const signed = await heads(namespace)
    expect(signed.map(({ number }) => number)).toEqual([1, 2])
    expect(signed[1]?.previous).toBe(signed[0]?.signature)
  })

  test('are put into the bucket, as lines, and what is new since a number can be asked for', async () => {
    const namespace = await mintNamespace()
    await used(namespace, 1)
    await run(namespace, 'sign_heads')
    await used(namespace, 1)
    await run(namespace, 'sign_heads')
    const bucket = Reflect.get(env, 'LEDGER_HEADS')
    const { objects } = await bucket.list({ prefix: `heads/${namespace.name}/` })
    const texts = await Promise.all(objects.map(async ({ key }: { key: string }) => (await bucket.get(key)).text()))
    const lines = texts.join('').trimEnd().split('\n')
    const signed = await heads(namespace)
    expect(lines.map((line) => JSON.parse(line))).toEqual(signed)
    expect(signed.length).toBe(4)
    expect(await heads(namespace, '&after=2')).toEqual(signed.slice(2))
    const first = await bodyOf(200, namespace.call('GET', '/v1/ledger/heads?limit=3'))
    expect(first['has_more']).toBe(true)
    const rest = await heads(namespace, `&cursor=${first['next_cursor']}`)
    expect([...listAt(first, 'data'), ...rest]).toEqual(signed)
  })

  test('are for admins of the whole namespace, which sees its own', async () => {
    const [ours, theirs] = await Promise.all([mintNamespace(), mintNamespace()])
    await used(theirs, 1)
    await run(theirs, 'sign_heads')
    expect(await heads(ours)).toEqual([])
    const as = async (scope: string, claims = {}) =>
      errorOf(ours.call('GET', '/v1/ledger/heads', undefined, { bearer: await mintToken(ours.name, scope, claims) }))
    expect(await as('read')).toMatchObject({ status: 403, code: 'missing_scope' })
    expect(await as('admin', { sub: 'a' })).toMatchObject({ status: 403, code: 'account_forbidden' })
    expect(await errorOf(ours.call('GET', '/v1/ledger/heads?after=-1'))).toEqual(invalid('after'))
  })
})

test('verify_chain names the first broken entry, and no account by its own name', async () => {
  const namespace = await mintNamespace()
  const account = await used(namespace, 5)
  expect(await run(namespace, 'verify_chain')).toMatchObject({ results: [{ faults: [], more: false }] })
  const [head] = await sql(
    `select s.account_id, encode(s.chain_hash, 'hex') as hash from resource_state s join accounts a using (account_id)
     where a.namespace_id = $1 and s.chain_seq > 0`,
    [namespace.name],
  )
  const replaceHead = (hash: unknown) =>
    sql("update resource_state set chain_hash = decode($2, 'hex') where account_id = $1 and chain_seq > 0", [
      String(head?.['account_id']),
      String(hash),
    ])
  await replaceHead('00'.repeat(32))
  // Cron, which goes through all namespaces, must not find it.
  onTestFinished(async () => void (await replaceHead(head?.['hash'])))
  const report = await run(namespace, 'verify_chain')
  expect(listAt(report, 'results.0.faults')).toEqual([
    {
      ...{ chain: 'ledger', account_uuid: head?.['account_id'], resource: 'benchmark_runs' },
      ...{ fault: 'head_changed', seq: 5, through_seq: 5, entry_id: expect.any(String) },
    },
  ])
  expect(JSON.stringify(report)).not.toContain(account)
})
