import { describe, expect, test } from 'vitest'
import { mintNamespace } from '../support/edge.ts'
import { bodyOf, check, consume, errorOf, grant, invalid } from '../support/edge-commands.ts'
import { listAt } from '../support/json-path.ts'

describe('resources', () => {
  test('are known by being made, to this namespace only', async () => {
    const [namespace, other] = [await mintNamespace(), await mintNamespace()]
    const resource = { resource: 'llm.tokens:v1', unit: 'tokens', name: 'LLM tokens, all of them' }
    expect(
      await errorOf(namespace.call('POST', '/v1/check', { account_id: 'a', resource: 'llm.tokens:v1' })),
    ).toMatchObject({ code: 'unknown_resource' })
    expect(await bodyOf(201, namespace.call('POST', '/v1/resources', resource))).toEqual(resource)
    expect(await check(namespace, 'a', { resource: 'llm.tokens:v1' })).toMatchObject({ reason: 'no_entitlement' })
    const listed = listAt(await bodyOf(200, namespace.call('GET', '/v1/resources?limit=100')), 'data')
    expect(listed).toContainEqual(resource)
    expect(listed).toContainEqual({ resource: 'gpu_hours', unit: 'hours', name: 'GPU hours' })
    expect(listAt(await bodyOf(200, other.call('GET', '/v1/resources?limit=100')), 'data')).not.toContainEqual(resource)
    expect(
      await errorOf(other.call('POST', '/v1/check', { account_id: 'a', resource: 'llm.tokens:v1' })),
    ).toMatchObject({ code: 'unknown_resource' })
  })

  test('without a name are called by their code', async () => {
    const namespace = await mintNamespace()
    const resource = { resource: 'widgets', unit: 'count' }
    expect(await bodyOf(201, namespace.call('POST', '/v1/resources', resource))).toEqual({
      ...resource,
      name: 'widgets',
    })
  })

  test('made again the same are no harm, changed are a conflict', async () => {
    const namespace = await mintNamespace()
    const resource = { resource: 'widgets', unit: 'count', name: 'Widgets' }
    expect(await bodyOf(201, namespace.call('POST', '/v1/resources', resource))).toEqual(resource)
    const again = await namespace.call('POST', '/v1/resources', resource)
    expect(again.body).toEqual(resource)
    expect(await errorOf(namespace.call('POST', '/v1/resources', { ...resource, unit: 'hours' }))).toEqual({
      status: 409,
      type: 'conflict',
      code: 'already_exists',
      param: 'resource',
    })
  })

  test.each([
    ['no code', { resource: undefined }, 'resource'],
    ['a code with a slash', { resource: 'a/b' }, 'resource'],
    ['a code too long', { resource: 'r'.repeat(101) }, 'resource'],
    ['a code that begins with a dot', { resource: '.a' }, 'resource'],
    ['no unit', { unit: undefined }, 'unit'],
    ['an unknown unit', { unit: 'parsecs' }, 'unit'],
    ['an empty name', { name: '' }, 'name'],
    ['a name too long', { name: 'n'.repeat(256) }, 'name'],
    ['an unknown field', { kind: 'x' }, 'kind'],
  ])('are refused with %s', async (_, fields, param) => {
    const namespace = await mintNamespace()
    const body = { resource: 'widgets', unit: 'count', name: 'Widgets', ...fields }
    expect(await errorOf(namespace.call('POST', '/v1/resources', body))).toEqual(invalid(param))
  })
})

describe('units', () => {
  test('convert into each other by their factors', async () => {
    const namespace = await mintNamespace()
    const fortnight = { unit: 'fortnights', dimension: 'time', factor: 1_209_600 }
    expect(await bodyOf(201, namespace.call('POST', '/v1/units', fortnight))).toEqual(fortnight)
    const listed = listAt(await bodyOf(200, namespace.call('GET', '/v1/units?limit=100')), 'data')
    expect(listed).toContainEqual(fortnight)
    expect(listed).toContainEqual({ unit: 'minutes', dimension: 'time', factor: 60 })
    await grant(namespace, 'a', { resource: 'gpu_hours', quantity: 1000 })
    const consumed = consume(namespace, 'a', { resource: 'gpu_hours', quantity: 0.5, unit: 'fortnights' })
    expect(await bodyOf(201, consumed)).toMatchObject({ used: 168 })
  })

  test('changed are a conflict', async () => {
    const namespace = await mintNamespace()
    const dozen = { unit: 'dozens', dimension: 'count', factor: 12 }
    await bodyOf(201, namespace.call('POST', '/v1/units', dozen))
    expect(await errorOf(namespace.call('POST', '/v1/units', { ...dozen, factor: 13 }))).toMatchObject({
      status: 409,
      code: 'already_exists',
      param: 'unit',
    })
  })

  test.each([
    ['a factor of nothing', { factor: 0 }, 'factor'],
    ['a negative factor', { factor: -1 }, 'factor'],
    ['no factor', { factor: undefined }, 'factor'],
    ['a bad dimension', { dimension: 'a b' }, 'dimension'],
    ['a bad code', { unit: '' }, 'unit'],
  ])('are refused with %s', async (_, fields, param) => {
    const namespace = await mintNamespace()
    expect(
      await errorOf(namespace.call('POST', '/v1/units', { unit: 'dozens', dimension: 'count', factor: 12, ...fields })),
    ).toEqual(invalid(param))
  })
})
