import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { parseSettings } from '../../local/dev/settings.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))

describe('settings of the local service', () => {
  test('defaults; an empty value counts as absent', () => {
    const secrets = { jwtSecret: undefined, jwtSecretPrevious: undefined }
    const defaults = { port: 8787, dataDir: `${root}.mec`, devKey: 'mec_sk_dev', ...secrets }
    expect(parseSettings({})).toEqual(defaults)
    const empty = { PORT: '', MEC_DATA_DIR: '', MEC_DEV_KEY: '', JWT_SECRET: '', JWT_SECRET_PREVIOUS: '' }
    expect(parseSettings(empty)).toEqual(defaults)
  })

  test.each(['0', '65536', '99999', 'http', '80.5', '-1', ' 80', '0x50'])('PORT %s is refused', (port) => {
    expect(() => parseSettings({ PORT: port })).toThrow(`PORT is "${port}": give a number from 1 to 65535`)
  })

  // A dot is how the Worker tells a JWT; the others a shell or a header would take for its own.
  test.each(['with.dot', "with'quote", 'with space', 'ü', 'x'.repeat(256)])('MEC_DEV_KEY %s is refused', (key) => {
    expect(() => parseSettings({ MEC_DEV_KEY: key })).toThrow('MEC_DEV_KEY must be')
  })

  test.each(['JWT_SECRET', 'JWT_SECRET_PREVIOUS'])('%s may hold one kind of quote', (name) => {
    for (const secret of [`it's`, `"$HOME" \\$x #\``, '`']) {
      const { jwtSecret, jwtSecretPrevious } = parseSettings({ [name]: secret })
      expect(name === 'JWT_SECRET' ? jwtSecret : jwtSecretPrevious).toBe(secret)
    }
    for (const secret of ["'`", 'a\nb']) {
      expect(() => parseSettings({ [name]: secret })).toThrow(`${name} must be one line`)
    }
  })
})

test('.env.example mentions every variable of the Worker, and those that the seeds name', async () => {
  const [example, source] = await Promise.all([
    readFile(`${root}.env.example`, 'utf8'),
    readFile(`${root}functions/env.ts`, 'utf8'),
  ])
  const variables = [...source.matchAll(/^ +([A-Z][A-Z_]+):/gm)].map(([, name]) => name ?? '')
  expect(variables).toContain('DATABASE_URL')
  const missing = [...variables, 'DATABASE_URL', 'JWT_SECRET', 'REDIS_URL'].filter(
    (name) => !new RegExp(`\\b${name}\\b`).test(example),
  )
  expect(missing).toEqual([])
})
