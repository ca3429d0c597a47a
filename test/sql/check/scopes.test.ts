import { expect, it } from 'vitest'
import { check, consume, grant } from '../../support/commands.ts'
import { mintAccount } from '../../support/sql.ts'

it.each([
  [null, null, true],
  [null, 'us', true],
  [null, 'us/h100', true],
  ['us', 'us', true],
  ['us', 'us/h100', true],
  ['us', 'us/h100/a', true],
  ['us', null, false],
  ['us', 'usa', false],
  ['us', 'eu/us', false],
  ['us', 'US', false],
  ['us/h100', 'us', false],
  ['us/h100', 'us/h1000', false],
  ['us/h100', 'us/h100/b', true],
  ['u%', 'us', false],
  ['u_', 'us', false],
])('an entitlement for %j, asked for %j: %s', async (entitled, asked, covers) => {
  const account = mintAccount()
  await grant(account, { scope: entitled })
  expect(await check(account, { scope: asked })).toMatchObject(
    covers ? { reason: 'within_limit', scope: asked } : { reason: 'no_entitlement', scope: asked },
  )
})

it('a use in a deep scope draws on the entitlement above it', async () => {
  const account = mintAccount()
  await grant(account, { scope: 'us', quantity: 5 })
  expect(await consume(account, { scope: 'us/h100', quantity: 3 })).toMatchObject({ allowed: true, scope: 'us/h100' })
  expect(await check(account, { scope: 'us/a100', quantity: 3 })).toMatchObject({
    allowed: false,
    used: 3,
    remaining: 2,
  })
  expect(await check(account, { scope: 'us', quantity: 2 })).toMatchObject({ allowed: true })
})
